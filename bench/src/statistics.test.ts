import { expect, it } from "vitest";
import { latency, median, percentile } from "./statistics.js";

it("takes the middle, whatever the order", () => {
  expect(median([3, 1, 2])).toBe(2);
  expect(median([4, 1, 3, 2])).toBe(2.5);
});

it("takes percentiles by nearest rank, as values that were measured", () => {
  const values = Array.from({ length: 100 }, (_, index) => 100 - index);
  expect(latency(values)).toEqual({ p50: 50, p99: 99 });
  expect(percentile([7], 0.99)).toBe(7);
});
