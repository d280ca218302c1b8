import { describe, it } from "vitest";
import type { OpenEngine } from "../engine/engine.js";
import { logConformance } from "../testing/conformance/log.js";
import { type EmbeddedKind, embeddedKinds, openEmbeddedTrial } from "../testing/trial-embedded.js";

const openLog = async (kind: EmbeddedKind) => {
  const trial = await openEmbeddedTrial(kind);
  return {
    get log(): OpenEngine["log"] {
      return trial.engine.log;
    },
    reopen: trial.reopen,
    close: trial.close,
  };
};

const inMemory = "what is in memory ends with its process";
const exceptions = { "holds what it has acknowledged when it is opened again, and goes on behind it": inMemory };

describe.each(embeddedKinds)("the embedded log, %s", (kind) => {
  const left = kind === "in memory" ? exceptions : {};
  for (const { name, run } of logConformance(() => openLog(kind), left)) it(name, run);
});
