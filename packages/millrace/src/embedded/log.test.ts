import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "vitest";
import { silentLogger } from "../runtime/logger.js";
import { systemRandom } from "../runtime/random.js";
import { logConformance } from "../testing/conformance/log.js";
import { virtualClock } from "../testing/virtual-clock.js";
import { embedded } from "./embedded.js";

async function openLog() {
  const dir = mkdtempSync(join(tmpdir(), "millrace-log-"));
  const open = () => embedded(dir).open({ clock: virtualClock(), random: systemRandom, logger: silentLogger });
  let engine = await open();
  return {
    get log() {
      return engine.log;
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

describe("the embedded log", () => {
  for (const { name, run } of logConformance(openLog)) it(name, run);
});
