import { timePrefixMs } from "../runtime/ids.js";

const bucketBits = 10;

/**
 * The bucket of an id in the trace index: the second (1,024 ms) of its time prefix. Derived ids keep the prefix of
 * what caused them, so all events of a correlation share the bucket of its root.
 */
export function traceBucket(id: string, timeMs: number): number {
  return Math.floor(timePrefixMs(id, timeMs) / 2 ** bucketBits);
}
