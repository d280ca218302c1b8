import type { Round } from "./benchmark.js";
import { type BenchmarkName, benchmarks } from "./benchmarks.js";
import { answering } from "./child.js";
import { waitedMs } from "./disturbance.js";

// Runs one trial, round after round, as its parent asks.
const [benchmark, trial] = process.argv.slice(2) as [BenchmarkName, string];
const { trials } = await benchmarks[benchmark]();
const work = trials[trial];
if (work === undefined) throw new Error(`${benchmark} has no trial ${trial}`);

answering(async (round) => {
  const before = { ms: performance.now(), waited: waitedMs() };
  const measured = await work(round as Round);
  const waitedShare = (waitedMs() - before.waited) / (performance.now() - before.ms);
  return { measured, waitedShare };
});
