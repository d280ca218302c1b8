import { readFileSync } from "node:fs";

/**
 * How long this thread has been ready to run while other programs had the processors, in milliseconds. Linux only;
 * elsewhere always 0.
 */
export function waitedMs(): number {
  try {
    // "time on the processor, time waiting for one, time slices", the times in nanoseconds.
    const [, waited = "0"] = readFileSync("/proc/thread-self/schedstat", "utf8").split(" ");
    return Number(waited) / 1e6;
  } catch {
    return 0;
  }
}
