import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Inspect } from "../store/inspect.js";
import { createInspect } from "./inspect.js";
import { run } from "./query.js";
import { Scratch } from "./scratch.js";
import { type Database, openDatabase } from "./sqlite.js";

let scratch: Scratch;
let reader: Database;
let inspect: Inspect;
beforeEach(() => {
  scratch = new Scratch();
  scratch.addTopic("orders", { partitions: 2, retentionMs: 5_000 });
  scratch.append("orders", 1_000, { id: "a", key: "k" }, { id: "b", key: "k" }, { id: "c", key: "l" });
  reader = openDatabase(scratch.file, { readOnly: true });
  inspect = createInspect(reader, scratch.file);
});
afterEach(() => {
  reader.close();
  scratch.remove();
});

describe("reads for people", () => {
  it("see what another connection has just committed", async () => {
    expect(await inspect.topics()).toMatchObject([
      { name: "orders", partitions: 2, retentionMs: 5_000, owner: "shop", records: 3, end: 3 },
    ]);
    scratch.append("orders", 2_000, {});
    expect(await inspect.topics()).toMatchObject([{ records: 4, end: 4 }]);
    expect((await inspect.events({ limit: 10 })).events).toHaveLength(4);
  });

  it("see one moment even while another connection commits", () => {
    scratch.database.exec("BEGIN IMMEDIATE");
    run(scratch.database, "DELETE FROM mr_topics");
    expect(inspect.topics()).toHaveLength(1);
    scratch.database.exec("ROLLBACK");
    expect(reader.isTransaction).toBe(false);
  });

  it("list lane entries by consumer, state, fingerprint and lane, page by page", async () => {
    const failure = { code: "NOT_YET", message: "m", fingerprint: "f1", at: 1 };
    const one = scratch.addEntry({ consumer: "c", topic: "orders", offset: 0, state: "dead", failure });
    const two = scratch.addEntry({ consumer: "c", topic: "orders", offset: 1, state: "following" });
    const three = scratch.addEntry({ consumer: "d", topic: "orders", offset: 2, state: "dead" });
    const found = async (query: object) => (await inspect.entries({ limit: 10, ...query })).map(({ entry }) => entry);
    expect(await found({})).toEqual([one, two, three]);
    expect(await found({ consumer: "c" })).toEqual([one, two]);
    expect(await found({ state: "dead" })).toEqual([one, three]);
    expect(await found({ fingerprint: "f1" })).toEqual([one]);
    expect(await found({ consumer: "d", lane: "l" })).toEqual([three]);
    expect(await found({ limit: 1, afterEntry: one })).toEqual([two]);
    expect(await inspect.entry(one)).toMatchObject({ entry: one, failure, record: { id: "a" } });
    expect(await inspect.entry(99)).toBeUndefined();
  });

  it("list amendments, schedules and the audit, newest act first", async () => {
    for (const consumer of ["c", "d"])
      run(
        scratch.database,
        "INSERT INTO mr_amendments VALUES (?, 'orders', 0, 1, 'skip', NULL, NULL, NULL, 'r', 'a', 1)",
        consumer,
      );
    expect(await inspect.amendments()).toHaveLength(2);
    expect(await inspect.amendments("d")).toMatchObject([{ consumer: "d", offset: 1, act: "skip" }]);
    run(
      scratch.database,
      "INSERT INTO mr_schedules VALUES ('shop', 'nightly', '0 0 * * *', 7), ('shop', 'over', '* * * * *', NULL)",
    );
    expect(await inspect.schedules()).toEqual([
      { service: "shop", schedule: "nightly", cron: "0 0 * * *", next: 7 },
      { service: "shop", schedule: "over", cron: "* * * * *", next: undefined },
    ]);
    for (const act of ["first", "second", "third"])
      run(scratch.database, "INSERT INTO mr_audit(at, actor, act, target, reason) VALUES (1, 'ann', ?, 't', 'r')", act);
    expect((await inspect.audit(2)).map(({ act, seq }) => [act, seq])).toEqual([
      ["third", 3],
      ["second", 2],
    ]);
  });

  it("take a negative limit for none, not for no limit", async () => {
    scratch.addEntry({ consumer: "c", topic: "orders", offset: 0, state: "dead" });
    run(scratch.database, "INSERT INTO mr_audit(at, actor, act, target, reason) VALUES (1, 'ann', 'x', 't', 'r')");
    expect(await inspect.entries({ limit: -1 })).toEqual([]);
    expect(await inspect.audit(-1)).toEqual([]);
  });

  it("know an operation", async () => {
    run(
      scratch.database,
      "INSERT INTO mr_operations(operation, command, key, correlation, state, created) VALUES ('o', 'pay', 'k', 'o', 'accepted', 1)",
    );
    expect(await inspect.operation("o")).toMatchObject({ id: "o", state: "accepted", finished: undefined });
    expect(await inspect.operation("p")).toBeUndefined();
  });

  it("answer for events, correlations, deliveries, consumers and the doctor", async () => {
    run(scratch.database, "INSERT INTO mr_identities VALUES ('shop', 'a', 1, 0, '')");
    scratch.register("c", { topic: "orders", types: ["order.placed"] });
    const event = await inspect.event("a");
    expect(event).toMatchObject({ id: "a", offset: 0 });
    expect(await inspect.correlation("a", 10)).toMatchObject([{ id: "a" }]);
    if (event !== undefined) expect(await inspect.deliveries(event)).toEqual([{ consumer: "c", state: "pending" }]);
    expect(await inspect.consumers(2_000)).toMatchObject([{ consumer: "c", lagRecords: 3, lagMs: 1_000 }]);
    expect((await inspect.doctor()).every(({ ok }) => ok)).toBe(true);
  });

  it("say STORE_DAMAGED for a row that cannot be read, and leave no transaction open", () => {
    scratch.register("c", { topic: "orders", types: ["order.placed"] });
    run(scratch.database, "UPDATE mr_positions SET finished = 'rubbish'");
    expect(() => inspect.consumers(0)).toThrow(expect.objectContaining({ code: "STORE_DAMAGED" }));
    expect(reader.isTransaction).toBe(false);
  });
});
