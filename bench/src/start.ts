import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { paymentsService } from "./accounts.js";
import type { Benchmark, Round } from "./benchmark.js";
import { figure } from "./figure.js";
import { owner, preload, startApp } from "./orders-app.js";

const events = 20_000;
const idleMs = 2_000;
const processPath = fileURLToPath(new URL("./start-process.js", import.meta.url));

/** Spawns a fresh Node and reads what it says: from spawning to its ready line, and its memory once it is idle. */
async function launch(kind: "app" | "bare", { dir, tiny }: Round) {
  const start = performance.now();
  const child = spawn(process.execPath, [processPath, kind, dir, String(tiny ? 50 : idleMs)], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const ended = once(child, "exit");
  let readyMs = Number.NaN;
  let insideMs = Number.NaN;
  let residentMb = Number.NaN;
  for await (const line of createInterface({ input: child.stdout })) {
    const [what, value] = line.split(" ");
    if (what === "ready") {
      readyMs = performance.now() - start;
      insideMs = Number(value);
    } else {
      residentMb = Number(value) / 2 ** 20;
      child.stdin.end();
    }
  }
  await ended;
  if (Number.isNaN(residentMb)) throw new Error(`the ${kind} process ended before it was idle`);
  return { readyMs, insideMs, residentMb };
}

/** A folder with a past, in the page cache: some events, all handled. */
async function fresh(round: Round) {
  await preload(round.dir, round.tiny ? 100 : events);
  const app = await startApp(round.dir, [owner, paymentsService(() => {})]);
  await app.settled();
  await app.stop();
  return await launch("app", round);
}

async function bare(round: Round) {
  return await launch("bare", round);
}

/** A process from nothing to ready, and what it holds when there is nothing to do. */
export const start: Benchmark = {
  trials: { bare, fresh },
  async run(stage) {
    const { bare: least, fresh: ours } = await stage.alternate({ bare, fresh }, { rounds: 7 });
    const goal = { atMost: 1_000 };
    return [
      figure({ name: "start", value: ours.readyMs, unit: "ms", ceiling: least.readyMs, goal }),
      figure({ name: "start.app", value: ours.insideMs, unit: "ms", ceiling: least.insideMs, goal }),
      figure({
        name: "start.memory",
        value: ours.residentMb,
        unit: "MiB",
        ceiling: least.residentMb,
        goal: { atMost: 120 },
      }),
    ];
  },
};
