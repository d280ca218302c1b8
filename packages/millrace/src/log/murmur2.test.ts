import { describe, expect, it } from "vitest";
import { partitionerConformance, vectors } from "../testing/conformance/partitioner.js";
import { murmur2, partitionOf } from "./murmur2.js";

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
