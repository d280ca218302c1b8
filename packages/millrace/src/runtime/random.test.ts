import { expect, it } from "vitest";
import { seededRandom, systemRandom } from "./random.js";

const numbers = (seed: number): number[] => {
  const random = seededRandom(seed);
  return Array.from({ length: 1_000 }, () => random.next());
};

it("repeats a sequence for its seed and gives another for another", () => {
  expect(numbers(7)).toEqual(numbers(7));
  expect(numbers(7)).not.toEqual(numbers(8));
});

it("stays in [0, 1) and spreads evenly", () => {
  const drawn = numbers(1);
  expect(drawn.every((number) => number >= 0 && number < 1)).toBe(true);
  expect(drawn.reduce((sum, number) => sum + number, 0) / drawn.length).toBeCloseTo(0.5, 1);
});

it.each([
  ["seeded", seededRandom(3)],
  ["system", systemRandom],
])("fills every byte (%s)", (_, random) => {
  const seen = new Uint8Array(64);
  for (let round = 0; round < 8; round += 1) {
    const bytes = new Uint8Array(64);
    random.fill(bytes);
    for (let i = 0; i < 64; i += 1) seen[i] = (seen[i] ?? 0) | (bytes[i] ?? 0);
  }
  expect(seen.every((byte) => byte !== 0)).toBe(true);
});
