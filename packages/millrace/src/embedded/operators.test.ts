import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { afterEach, describe, it } from "vitest";
import { systemClock } from "../runtime/clock.js";
import { silentLogger } from "../runtime/logger.js";
import { systemRandom } from "../runtime/random.js";
import { operatorsConformance } from "../testing/conformance/operators.js";
import { endTrials, tempFolder } from "../testing/trial.js";
import { embedded } from "./embedded.js";

const topic = { name: "conformance", partitions: 2, owner: "checking", key: "k", retentionMs: undefined };

async function opened(dir: string) {
  const engine = await embedded(dir).open({ clock: systemClock, random: systemRandom, logger: silentLogger });
  await engine.log.ensureTopic(topic);
  const { log, store, inspect, operate } = engine;
  return { log, store, inspect, operate, close: () => engine.close() };
}

afterEach(endTrials);

describe("operators of the embedded engine, in memory", () => {
  for (const { name, run } of operatorsConformance(() => opened(":memory:"))) it(name, run);
});

describe("operators of the embedded engine, in a file", () => {
  for (const { name, run } of operatorsConformance(() => opened(tempFolder()))) it(name, run);
});

describe("operators of the embedded engine, in a file that another process owns", () => {
  for (const { name, run } of operatorsConformance(besideOwner)) it(name, run);
});

/** What this process does goes over the socket to the owner. */
async function besideOwner() {
  const dir = tempFolder();
  const program = new URL("./owner-process.js", import.meta.url).pathname;
  const owner = spawn(process.execPath, [program, dir], { stdio: ["ignore", "pipe", "inherit"] });
  const [said] = (await once(createInterface({ input: owner.stdout }), "line")) as [string];
  if (said !== "owns") throw new Error(said);
  const on = await opened(dir);
  const close = async () => {
    await on.close();
    owner.kill("SIGKILL");
  };
  return { ...on, close };
}
