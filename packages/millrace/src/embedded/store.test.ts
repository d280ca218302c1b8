import { describe, it } from "vitest";
import type { OpenEngine } from "../engine/engine.js";
import { storeConformance } from "../testing/conformance/store.js";
import { type EmbeddedKind, embeddedKinds, openEmbeddedTrial } from "../testing/trial-embedded.js";

const topic = { name: "conformance", partitions: 2, owner: "checking", key: "k", retentionMs: undefined };

async function openStore(kind: EmbeddedKind) {
  const trial = await openEmbeddedTrial(kind, async ({ log }) => {
    await log.ensureTopic(topic);
    await log.ensureTopic({ ...topic, name: "conformance-streams", streams: true });
  });
  return {
    get store(): OpenEngine["store"] {
      return trial.engine.store;
    },
    async published() {
      const all = { topic: topic.name, from: [0, 0], recordsMax: 1_000, bytesMax: 1e9 };
      const { records } = await trial.engine.log.read(all);
      return records.map((record) => record.id);
    },
    reopen: trial.reopen,
    close: trial.close,
  };
}

describe.each(embeddedKinds)("the embedded store, %s", (kind) => {
  for (const { name, run } of storeConformance(() => openStore(kind))) it(name, run);
});
