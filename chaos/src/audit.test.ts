import { expect, it } from "vitest";
import { audit } from "./audit.js";
import type { Entry, Facts } from "./facts.js";

const order = (offset: number) => ({
  topic: "intake",
  partition: 0,
  offset,
  id: `o-${offset}`,
  type: "order.received",
  key: "k-1",
  appended: 0,
  data: { key: "k-1", peer: "k-1", n: 1 },
});
const dead = (holds: boolean): Entry => {
  const { topic, partition, offset } = order(0);
  return { consumer: "books", lane: "key:k-1", state: "dead", holds, topic, partition, offset };
};

/** Two orders of one key, of which the first is dead and the second was applied. */
function facts(holds: boolean): Facts {
  const { topic, key, id } = order(1);
  return {
    acks: [],
    runs: new Map([[`books ${id}`, new Set(["once"])]]),
    log: [order(0), order(1)],
    applied: [{ consumer: "books", topic, key, id }],
    entries: [dead(holds)],
    places: [],
    tallies: [],
    accounts: [],
    timers: 0,
    operations: new Map(),
    stops: [],
    copies: 0,
    oddities: [],
  };
}

it("an event that was applied past a dead letter of its key is out of order", () => {
  const { invariants, reordered } = audit(facts(true), 1, []);
  expect(invariants.I4).toContain("intake k-1: 1 was applied past 0, which is dead and holds");
  expect(reordered).toBe(1);
});

it("a dead letter that lets others pass is passed in order", () => {
  const { invariants, reordered } = audit(facts(false), 1, []);
  expect([invariants.I4, reordered]).toEqual(["ok", 0]);
});
