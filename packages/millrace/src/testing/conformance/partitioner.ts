import { equal } from "node:assert/strict";
import { type ConformanceCase, suite } from "./suite.js";

/** Tells a key's partition. */
export type Partitioner = (key: string, partitions: number) => number;

/** Murmur2 of keys' UTF-8 bytes, as in Kafka's UtilsTest.java; the partition is its lower 31 bits modulo the count. */
export const vectors: readonly (readonly [key: string, hash: number])[] = [
  ["21", -973932308],
  ["foobar", -790332482],
  ["a-little-bit-long-string", -985981536],
  ["a-little-bit-longer-string", -1486304829],
  ["lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971],
  ["abc", 479470107],
];

/** What every partitioner gives: that of Kafka's own clients, so that a topic can move between logs. */
export function partitionerConformance(partitionOf: Partitioner): readonly ConformanceCase[] {
  const checks = {
    "keys land on the partitions that Kafka's own clients give them": async () => {
      for (const [key, hash] of vectors)
        for (const count of [1, 3, 12, 1_000]) equal(partitionOf(key, count), (hash & 0x7fffffff) % count, key);
    },
    "keys of other scripts have a partition, and always the same": async () => {
      for (const key of ["é", "注文", "😀", ""]) equal(partitionOf(key, 12), partitionOf(key, 12));
    },
  };
  return suite(checks, async () => ({ close: () => Promise.resolve() }), {});
}
