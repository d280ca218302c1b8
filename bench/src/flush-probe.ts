import { closeSync, fdatasyncSync, openSync, writeSync } from "node:fs";
import { join } from "node:path";
import type { Round } from "./benchmark.js";
import { latency } from "./statistics.js";

/** Appends of 4 KiB, each flushed, one at a time: the least that any durable acknowledgement costs on this disk. */
export async function flushProbe({ dir, tiny }: Round): Promise<{ readonly p50: number; readonly p99: number }> {
  const file = openSync(join(dir, "flushes"), "w");
  const page = Buffer.alloc(4096, 1);
  const timesMs: number[] = [];
  for (let n = 0; n < (tiny ? 20 : 2_000); n += 1) {
    const start = performance.now();
    writeSync(file, page);
    fdatasyncSync(file);
    timesMs.push(performance.now() - start);
  }
  closeSync(file);
  return latency(timesMs);
}
