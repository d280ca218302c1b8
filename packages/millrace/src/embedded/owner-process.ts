import { readFileSync } from "node:fs";
import { join } from "node:path";
import { isFailure } from "../failure/failure.js";
import { systemClock } from "../runtime/clock.js";
import { silentLogger } from "../runtime/logger.js";
import { systemRandom } from "../runtime/random.js";
import { embedded } from "./embedded.js";

// A program for owner.test.ts: opens the folder, says what came of it, and stays until it is killed.

const context = { clock: systemClock, random: systemRandom, logger: silentLogger };
try {
  const dir = process.argv[2] ?? "";
  await embedded(dir).open(context);
  const { pid } = JSON.parse(readFileSync(join(dir, "owner.json"), "utf8")) as { pid: number };
  process.stdout.write(pid === process.pid ? "owns\n" : "takes part\n");
  systemClock.after(600_000, () => {});
} catch (error) {
  if (!isFailure(error)) throw error;
  process.stdout.write(`${error.code} ${error.message}\n`);
}
