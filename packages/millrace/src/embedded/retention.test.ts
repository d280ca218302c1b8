import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { findEvent } from "./event-search.js";
import { all, first, run } from "./query.js";
import { type TrimOptions, trim } from "./retention.js";
import { idAt, Scratch } from "./scratch.js";

let scratch: Scratch;
beforeEach(() => {
  scratch = new Scratch();
});
afterEach(() => scratch.remove());

const hour = 60 * 60 * 1_000;
const day = 24 * hour;
const trimAt = (now: number, options?: TrimOptions) => trim(scratch.database, scratch.transact, now, options);
const blocks = (topic = "orders") =>
  all<{ appended: number }>(
    scratch.database,
    "SELECT appended FROM mr_log WHERE pos >= ? AND pos < ? ORDER BY pos",
    scratch.topic(topic).base,
    scratch.topic(topic).base + 2 ** 38,
  ).map((row) => row.appended);
const count = (table: string) => first<{ n: number }>(scratch.database, `SELECT count(*) AS n FROM ${table}`)?.n;

describe("blocks", () => {
  it("go when their topic's retention has passed, oldest first, and leave no trace", () => {
    scratch.addTopic("orders", { retentionMs: day });
    scratch.append("orders", 1_000, { id: idAt(1_000, 1) }, { id: idAt(9_000, 2) });
    scratch.append("orders", 2_000, { id: "chosen", time: 4_000 });
    scratch.append("orders", 3_000, { id: idAt(1_001, 3) });
    expect(trimAt(2_000 + day)).toMatchObject({ blocks: 1, topics: [{ name: "orders", first: 2 }], more: false });
    expect(blocks()).toEqual([2_000, 3_000]);
    expect(scratch.topic("orders")).toMatchObject({ first: 2, end: 4 });
    expect(findEvent(scratch.database, idAt(1_000, 1))).toBeUndefined();
    expect(findEvent(scratch.database, idAt(1_001, 3))?.offset).toBe(3);
    expect(count("mr_trace")).toBe(2);
    expect(trimAt(2_001 + day)).toMatchObject({ blocks: 1 });
    expect(count("mr_trace")).toBe(1);
  });

  it("leave their offsets behind when all of them go", () => {
    scratch.addTopic("orders", { retentionMs: day });
    scratch.append("orders", 1_000, {}, {});
    trimAt(5 * day);
    expect(scratch.topic("orders")).toMatchObject({ first: 2, end: 2 });
    expect(scratch.append("orders", 2_000, {})).toMatchObject([{ offset: 2 }]);
  });

  it("stay for ever when their topic says so", () => {
    scratch.addTopic("orders");
    scratch.append("orders", 1_000, {});
    expect(trimAt(10_000 * day)).toMatchObject({ blocks: 0, topics: [] });
    expect(blocks()).toEqual([1_000]);
  });

  it("stay until every position of every consumer of the topic is past their end", () => {
    scratch.addTopic("orders", { partitions: 2, retentionMs: day });
    scratch.addTopic("other");
    scratch.append("orders", 1_000, {}, {});
    scratch.append("orders", 2_000, {}, {});
    scratch.register("fast", { topic: "orders", types: ["order.placed"] });
    scratch.register("slow", { topic: "orders", types: ["order.placed"] });
    scratch.register("elsewhere", { topic: "other", types: ["order.placed"] });
    for (const consumer of ["fast", "slow"])
      for (const partition of [0, 1]) scratch.move(consumer, "orders", 4, { partition });
    scratch.move("slow", "orders", 1, { partition: 1, finished: [[2, 4]] });
    expect(trimAt(5 * day)).toMatchObject({ blocks: 0 });
    scratch.move("slow", "orders", 2, { partition: 1 });
    expect(trimAt(5 * day)).toMatchObject({ blocks: 1 });
    expect(blocks()).toEqual([2_000]);
    run(scratch.database, "DELETE FROM mr_positions WHERE consumer = 'fast' AND partition = 0");
    scratch.move("slow", "orders", 4, { partition: 1 });
    expect(trimAt(5 * day)).toMatchObject({ blocks: 0 });
    run(scratch.database, "DELETE FROM mr_consumers WHERE consumer = 'fast'");
    expect(trimAt(5 * day)).toMatchObject({ blocks: 1 });
  });

  it("go in bounded pieces", () => {
    scratch.addTopic("orders", { retentionMs: day });
    scratch.addTopic("payments", { retentionMs: day });
    for (let n = 0; n < 70; n += 1) scratch.append("orders", 1_000 + n, {});
    for (let n = 0; n < 70; n += 1) scratch.append("payments", 1_000 + n, {});
    expect(trimAt(5 * day)).toMatchObject({ blocks: 100, more: true });
    expect(trimAt(5 * day)).toMatchObject({ blocks: 40, more: false });
    expect(count("mr_log")).toBe(0);
    expect(count("mr_trace")).toBe(0);
  });

  it("go in one commit or not at all", () => {
    scratch.addTopic("orders", { retentionMs: day });
    scratch.append("orders", 1_000, {});
    const failing = <T>(work: () => T): T =>
      scratch.transact(() => {
        work();
        throw new Error("no commit");
      });
    expect(() => trim(scratch.database, failing, 5 * day)).toThrow("no commit");
    expect(blocks()).toEqual([1_000]);
    expect(scratch.topic("orders").first).toBe(0);
  });

  it("make no commit when there is nothing to do", () => {
    scratch.addTopic("orders", { retentionMs: day });
    scratch.append("orders", 1_000, { named: true, id: "a" });
    const none = () => {
      throw new Error("a commit for nothing");
    };
    expect(trim(scratch.database, none, 1_000 + day)).toMatchObject({ blocks: 0, identities: 0, operations: 0 });
  });
});

describe("identities", () => {
  const ids = () =>
    all<{ id: string }>(scratch.database, "SELECT id FROM mr_identities ORDER BY id").map((row) => row.id);

  it("go when the log has moved on by the dedupe window, not when time merely passed", () => {
    scratch.addTopic("orders");
    scratch.append("orders", day, { id: "a", named: true });
    scratch.append("orders", 2 * day, { id: "b", named: true });
    expect(trimAt(1_000 * day).identities).toBe(0);
    scratch.append("orders", 31 * day + 1, { id: "c", named: true });
    expect(trimAt(1_000 * day).identities).toBe(1);
    expect(ids()).toEqual(["b", "c"]);
  });

  it("go with their record when it goes first", () => {
    scratch.addTopic("orders", { retentionMs: hour });
    scratch.append("orders", 1_000, { id: "a", named: true });
    scratch.append("orders", day, { id: "b", named: true });
    trimAt(day);
    trimAt(day);
    expect(ids()).toEqual(["b"]);
  });

  it("are all looked at when each call goes on where the last one stopped", () => {
    scratch.addTopic("orders");
    scratch.addTopic("payments");
    const young = Array.from({ length: 6_000 }, (_, n) => ({ id: `a${n}`, source: "a", named: true }));
    scratch.append("payments", day, ...young);
    scratch.append("orders", day, { id: "old", source: "z", named: true });
    scratch.append("orders", 40 * day, {});
    const one = trimAt(0);
    expect(trimAt(0)).toMatchObject({ identities: 0 });
    const two = trimAt(0, { resume: one.next });
    expect([one.identities, two.identities]).toEqual([0, 1]);
    expect(ids()).not.toContain("old");
    expect(two.next).toEqual({ source: "", id: "", operation: "" });
  });
});

describe("operations", () => {
  const add = (operation: string, state: string, finished: number | null) =>
    run(
      scratch.database,
      "INSERT INTO mr_operations(operation, command, key, correlation, state, created, finished) VALUES (?, 'pay', 'k', ?, ?, 0, ?)",
      operation,
      operation,
      state,
      finished,
    );

  it("with an id of the caller's own stay as long as the id does", () => {
    run(scratch.database, "INSERT INTO mr_identities VALUES ('outside', 'mine', 1, 0, '')");
    add("mine", "committed", 1_000);
    expect(trimAt(7 * day + 1_001)).toMatchObject({ operations: 0 });
    run(scratch.database, "DELETE FROM mr_identities");
    expect(trimAt(7 * day + 1_001)).toMatchObject({ operations: 1 });
  });

  it("go a while after they finished; open ones stay", () => {
    add("a", "committed", 1_000);
    add("b", "failed", 2_000);
    add("c", "accepted", null);
    expect(trimAt(7 * day + 1_001)).toMatchObject({ operations: 1 });
    expect(trimAt(7 * day + 1_001)).toMatchObject({ operations: 0 });
    expect(trimAt(2_500, { operationsMs: 100 })).toMatchObject({ operations: 1 });
    expect(all(scratch.database, "SELECT operation FROM mr_operations")).toEqual([{ operation: "c" }]);
  });
});
