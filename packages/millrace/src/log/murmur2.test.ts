import { describe, expect, it } from "vitest";
import { partitionerConformance } from "../testing/conformance/partitioner.js";
import { murmur2, partitionOf } from "./murmur2.js";

// From Kafka's UtilsTest.java.
const vectors: readonly (readonly [string, number])[] = [
  ["21", -973932308],
  ["foobar", -790332482],
  ["a-little-bit-long-string", -985981536],
  ["a-little-bit-longer-string", -1486304829],
  ["lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971],
  ["abc", 479470107],
];

describe("murmur2", () => {
  for (const { name, run } of partitionerConformance(partitionOf)) it(name, run);

  it.each(vectors)("hashes %s as Kafka's Utils does", (key, hash) => {
    expect(murmur2(key)).toBe(hash);
  });

  it("hashes the UTF-8 bytes of other scripts, one path for both", () => {
    expect(partitionOf("é", 12)).toBeGreaterThanOrEqual(0);
    expect(murmur2("é")).not.toBe(murmur2("e"));
  });
});
