import { expect, it } from "vitest";
import { positionsFinding } from "./findings.js";

const position = (partition: number) => ({
  ...{ id: partition, consumer: "counting", topic: "orders", partition },
  ...{ generation: 0, epoch: 1, frontier: 0, finished: [] },
});
const registered = [{ consumer: "counting", topics: [{ topic: "orders", incarnation: "first", types: [] }] }] as never;
const topicOf = (partitions: number) =>
  new Map([["orders", { partitions, incarnation: "first", first: () => 0, end: () => 9 }]]);
const finding = (having: readonly number[], partitions: number) =>
  positionsFinding(registered, having.map(position) as never, topicOf(partitions));

it("partitions that somebody added are told as such: forgetting the consumer would not help", () => {
  expect(finding([0, 1], 2)).toMatchObject({ ok: true });
  const { ok, detail } = finding([0, 1], 4);
  expect([ok, detail]).toEqual([
    false,
    expect.stringMatching(/^topic orders has 4 partitions now, and had 2: .*PARTITIONS_CHANGED.* new topic/),
  ]);
  expect(detail).not.toContain("forget");
});

it("positions that are missing elsewhere are told one by one, with what mends them", () => {
  expect(finding([0, 2], 4).detail).toMatch(
    /orders\/1 is missing; .*orders\/3 is missing. Restore a backup, or forget/,
  );
  expect(finding([], 1).detail).toMatch(/orders\/0 is missing. Restore/);
});
