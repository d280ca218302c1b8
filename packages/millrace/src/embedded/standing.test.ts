import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { run } from "./query.js";
import { Scratch } from "./scratch.js";
import { readConsumers, readDeliveries } from "./standing.js";

let scratch: Scratch;
beforeEach(() => {
  scratch = new Scratch();
  scratch.addTopic("orders", { partitions: 2 });
});
afterEach(() => scratch.remove());

const now = 10_000;
const standing = (consumer: string) => readConsumers(scratch.database, now).find((view) => view.consumer === consumer);

describe("a consumer's lag", () => {
  it("counts records of the types it hears, neither below a frontier nor finished", () => {
    scratch.append("orders", 1_000, {}, { partition: 1 }, { type: "other" }, { partition: 1 });
    scratch.append("orders", 2_000, {}, { partition: 1 }, {});
    scratch.register("c", { topic: "orders", types: ["order.placed"] });
    expect(standing("c")).toMatchObject({ lagRecords: 6, lagMs: 9_000 });
    // Done: offset 0 of partition 0, offsets 1 and 3 of partition 1, and 4 by itself.
    scratch.move("c", "orders", 1, { finished: [[4, 5]] });
    scratch.move("c", "orders", 4, { partition: 1 });
    const view = standing("c");
    expect(view).toMatchObject({ lagRecords: 2, lagMs: 8_000, service: "shop" });
    expect(
      view?.positions.map(({ partition, frontier, end, oldestPendingAt }) => [
        partition,
        frontier,
        end,
        oldestPendingAt,
      ]),
    ).toEqual([
      [0, 1, 7, 2_000],
      [1, 4, 7, 2_000],
    ]);
  });

  it("is zero when all is done, and for a consumer of an empty topic", () => {
    scratch.register("c", { topic: "orders", types: ["order.placed"] });
    expect(standing("c")).toMatchObject({ lagRecords: 0, lagMs: 0 });
    scratch.append("orders", 1_000, {}, { partition: 1, type: "other" });
    scratch.move("c", "orders", 1);
    expect(standing("c")).toMatchObject({ lagRecords: 0, lagMs: 0 });
  });

  it("is never negative when the clock went back", () => {
    scratch.append("orders", now + 5_000, {});
    scratch.register("c", { topic: "orders", types: ["order.placed"] });
    expect(standing("c")).toMatchObject({ lagRecords: 1, lagMs: 0 });
  });

  it("adds up over topics and includes what a slow handler has", () => {
    scratch.addTopic("payments");
    scratch.append("orders", 1_000, {}, {});
    scratch.append("payments", 3_000, { type: "payment.taken" });
    scratch.register(
      "c",
      { topic: "orders", types: ["order.placed"] },
      { topic: "payments", types: ["payment.taken"] },
    );
    scratch.move("c", "orders", 2);
    expect(standing("c")).toMatchObject({ lagRecords: 1, lagMs: 7_000 });
    scratch.addEntry({ consumer: "c", topic: "orders", offset: 0, state: "running" });
    expect(standing("c")).toMatchObject({ lagRecords: 2, lagMs: 9_000 });
  });

  it("is an upper bound past the first 64 blocks", () => {
    scratch.register("c", { topic: "orders", types: ["order.placed"] });
    for (let n = 0; n < 70; n += 1)
      scratch.append("orders", 1_000 + n, { type: "other" }, { type: n === 69 ? "order.placed" : "other" });
    // One is pending, in the last block; six blocks of two were not looked into.
    expect(standing("c")).toMatchObject({ lagRecords: 12, lagMs: now - 1_064 });
    scratch.move("c", "orders", 100);
    scratch.move("c", "orders", 100, { partition: 1 });
    expect(standing("c")).toMatchObject({ lagRecords: 1, lagMs: now - 1_069 });
  });

  it("begins where the log now begins when retention has passed a frontier", () => {
    scratch.append("orders", 1_000, {}, {});
    scratch.append("orders", 2_000, {});
    run(scratch.database, "DELETE FROM mr_log WHERE appended = 1000");
    run(scratch.database, "UPDATE mr_topics SET first = 2");
    scratch.register("c", { topic: "orders", types: ["order.placed"] });
    expect(standing("c")).toMatchObject({ lagRecords: 1, lagMs: 8_000 });
  });

  it("stands beside the number of entries in each state", () => {
    scratch.append("orders", 1_000, {}, {}, {}, {});
    scratch.register("c", { topic: "orders", types: ["order.placed"] });
    scratch.register("d", { topic: "orders", types: ["order.placed"] });
    for (const [offset, state] of (["dead", "following", "following", "parked"] as const).entries())
      scratch.addEntry({ consumer: "c", topic: "orders", offset, state });
    expect(standing("c")).toMatchObject({
      parked: 1,
      dead: 1,
      following: 2,
      topics: [{ topic: "orders", types: ["order.placed"] }],
    });
    expect(standing("d")).toMatchObject({ parked: 0, dead: 0, following: 0 });
  });
});

describe("deliveries of an event", () => {
  it("are one for each consumer that hears its type, each in one state", () => {
    const [record] = scratch.append("orders", 1_000, { partition: 1 });
    if (record === undefined) throw new Error("nothing was appended");
    for (const consumer of ["applied", "dead", "finished", "following", "parked", "pending", "running", "skipped"])
      scratch.register(consumer, { topic: "orders", types: ["x", "order.placed"] });
    scratch.register("deaf", { topic: "orders", types: ["order.cancelled"] });
    for (const consumer of ["applied", "dead", "following", "parked", "running", "skipped"])
      scratch.move(consumer, "orders", 1, { partition: 1 });
    scratch.move("finished", "orders", 0, { partition: 1, finished: [[0, 1]] });
    const entries = (["dead", "following", "parked", "running"] as const).map((state) =>
      scratch.addEntry({ consumer: state, topic: "orders", offset: 0, state }),
    );
    run(
      scratch.database,
      "INSERT INTO mr_amendments VALUES ('skipped', 'orders', 1, 0, 'skip', NULL, NULL, NULL, 'r', 'a', 1)",
    );
    run(
      scratch.database,
      "INSERT INTO mr_amendments VALUES ('applied', 'orders', 1, 0, 'replace', 'i', '{}', 1, 'r', 'a', 1)",
    );
    expect(readDeliveries(scratch.database, record)).toEqual([
      { consumer: "applied", state: "applied" },
      { consumer: "dead", state: "dead", entry: entries[0] },
      { consumer: "finished", state: "applied" },
      { consumer: "following", state: "following", entry: entries[1] },
      { consumer: "parked", state: "parked", entry: entries[2] },
      { consumer: "pending", state: "pending" },
      { consumer: "running", state: "pending", entry: entries[3] },
      { consumer: "skipped", state: "skipped" },
    ]);
  });

  it("are pending when the consumer's position is missing", () => {
    const [record] = scratch.append("orders", 1_000, {});
    scratch.register("c", { topic: "orders", types: ["order.placed"] });
    run(scratch.database, "DELETE FROM mr_positions");
    if (record !== undefined)
      expect(readDeliveries(scratch.database, record)).toEqual([{ consumer: "c", state: "pending" }]);
    expect.assertions(1);
  });
});
