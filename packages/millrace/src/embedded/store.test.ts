import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "vitest";
import { silentLogger } from "../runtime/logger.js";
import { systemRandom } from "../runtime/random.js";
import { storeConformance } from "../testing/conformance/store.js";
import { virtualClock } from "../testing/virtual-clock.js";
import { embedded } from "./embedded.js";

const topic = { name: "conformance", partitions: 2, owner: "checking", key: "k", retentionMs: undefined };

async function openStore() {
  const dir = mkdtempSync(join(tmpdir(), "millrace-store-"));
  const open = async () => {
    const opened = await embedded(dir).open({ clock: virtualClock(), random: systemRandom, logger: silentLogger });
    await opened.log.ensureTopic(topic);
    await opened.log.ensureTopic({ ...topic, name: "conformance-streams", streams: true });
    return opened;
  };
  let engine = await open();
  return {
    get store() {
      return engine.store;
    },
    async published() {
      const { records } = await engine.log.read({ topic: topic.name, from: [0, 0], recordsMax: 1_000, bytesMax: 1e9 });
      return records.map((record) => record.id);
    },
    async reopen() {
      await engine.close();
      engine = await open();
    },
    async close() {
      await engine.close();
      rmSync(dir, { recursive: true });
    },
  };
}

describe("the embedded store", () => {
  for (const { name, run } of storeConformance(openStore)) it(name, run);
});
