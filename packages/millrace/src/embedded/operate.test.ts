import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Operate } from "../store/operate.js";
import { createInspect } from "./inspect.js";
import { createOperate } from "./operate.js";
import { all, run } from "./query.js";
import { Scratch } from "./scratch.js";

let scratch: Scratch;
let operate: Operate;
beforeEach(() => {
  scratch = new Scratch();
  scratch.addTopic("orders");
  scratch.append("orders", 1_000, { id: "first" }, { id: "second" }, { id: "third" }, { id: "fourth", key: "other" });
  scratch.register("c", { topic: "orders", types: ["order.placed"] });
  operate = createOperate(scratch.database, scratch.transact, (work) => scratch.transact(() => work(() => {})));
});
afterEach(() => scratch.remove());

const act = { actor: "ann", reason: "typo", at: 5_000 };
const entry = (id: number) => createInspect(scratch.database).entry(id);
const add = (offset: number, state: "dead" | "parked" | "following", holds = true) =>
  scratch.addEntry({ consumer: "c", topic: "orders", offset, state, holds });
const amendments = () => createInspect(scratch.database).amendments("c");
const audit = () => createInspect(scratch.database).audit(100);
/** The first entry that holds the lane "k". */
const head = () =>
  all<{ entry: number; state: string; due: number }>(
    scratch.database,
    "SELECT entry, state, due FROM mr_lane_entries WHERE lane = 'k' AND holds = 1 ORDER BY entry LIMIT 1",
  )[0];

describe("edit", () => {
  it("replaces the event for this consumer, and its letter stays dead", async () => {
    const letter = add(0, "dead");
    expect(await operate.edit({ entry: letter, id: "edited", data: '{"total":5}', version: 1 }, act)).toEqual({
      changed: 1,
      lanes: [],
    });
    expect(await amendments()).toEqual([
      {
        consumer: "c",
        topic: "orders",
        partition: 0,
        offset: 0,
        act: "replace",
        id: "edited",
        data: '{"total":5}',
        version: 1,
        reason: "typo",
        actor: "ann",
        at: 5_000,
      },
    ]);
    expect(await entry(letter)).toMatchObject({
      state: "dead",
      attempt: 3,
      record: { id: "edited", causationId: "first", correlationId: "first", offset: 0, data: { total: 5 } },
    });
    expect(await audit()).toMatchObject([
      { at: 5_000, actor: "ann", act: "edit", target: `dead letter ${letter} of c`, reason: "typo" },
    ]);
  });

  it("of an edited letter takes the first edit's place", async () => {
    const letter = add(0, "dead");
    await operate.edit({ entry: letter, id: "edited", data: "{}", version: 1 }, act);
    await operate.edit({ entry: letter, id: "again", data: '{"a":1}', version: 1 }, act);
    expect(await entry(letter)).toMatchObject({ record: { id: "again", causationId: "first", data: { a: 1 } } });
    expect(await amendments()).toMatchObject([{ id: "again" }]);
  });

  it("changes nothing when it is sent again", async () => {
    const letter = add(0, "dead");
    await operate.edit({ entry: letter, id: "edited", data: "{}", version: 1 }, act);
    expect(await operate.edit({ entry: letter, id: "edited", data: "{}", version: 1 }, act)).toEqual({
      changed: 0,
      lanes: [],
    });
    expect(await audit()).toHaveLength(1);
  });

  it("replaces bytes that nobody could decode", async () => {
    scratch.append("orders", 2_000, { id: "raw", data: Uint8Array.of(0xff, 0x00) });
    const letter = add(4, "dead");
    await operate.edit({ entry: letter, id: "edited", data: "{}", version: 1 }, act);
    expect(await entry(letter)).toMatchObject({ record: { bytes: undefined, data: {} } });
  });

  it("leaves everything as it was when the data is not JSON", () => {
    const letter = add(0, "dead");
    expect(() => operate.edit({ entry: letter, id: "edited", data: "{", version: 1 }, act)).toThrow(
      expect.objectContaining({ code: "RECORD_UNDECODABLE" }),
    );
    expect(amendments()).toEqual([]);
    expect(audit()).toEqual([]);
  });
});

describe("skip", () => {
  it("amends the event away and lets the next one of its lane run", async () => {
    const letter = add(0, "dead");
    const next = add(1, "following");
    const last = add(2, "following");
    expect(await operate.skip([letter], act)).toEqual({
      changed: 1,
      lanes: [{ consumer: "c", lane: "k" }],
      unchanged: [],
    });
    expect(await entry(letter)).toBeUndefined();
    expect(await entry(next)).toMatchObject({ state: "parked", due: 5_000 });
    expect(await entry(last)).toMatchObject({ state: "following" });
    expect(await amendments()).toMatchObject([
      { act: "skip", offset: 0, id: undefined, data: undefined, reason: "typo" },
    ]);
    expect(await audit()).toMatchObject([{ act: "skip", target: `dead letter ${letter} of c` }]);
  });

  it("leaves other lanes and other consumers alone", async () => {
    const letter = add(0, "dead");
    const elsewhere = scratch.addEntry({ consumer: "d", topic: "orders", offset: 1, state: "following" });
    const other = add(3, "following");
    await operate.skip([letter], act);
    expect(await entry(elsewhere)).toMatchObject({ state: "following" });
    expect(await entry(other)).toMatchObject({ state: "following" });
  });

  it("of a letter that held nothing does not wake those who wait for another", async () => {
    const passing = add(0, "dead", false);
    const holding = add(1, "dead");
    add(2, "following");
    await operate.skip([passing], act);
    expect(head()).toMatchObject({ entry: holding, state: "dead" });
  });

  it("passes over dead letters that hold nothing when it looks for the next head", async () => {
    const letter = add(0, "dead");
    add(1, "dead", false);
    const next = add(2, "following");
    await operate.skip([letter], act);
    expect(head()).toEqual({ entry: next, state: "parked", due: 5_000 });
  });

  it("of an edited letter takes the edit's place", async () => {
    const letter = add(0, "dead");
    await operate.edit({ entry: letter, id: "edited", data: "{}", version: 1 }, act);
    await operate.skip([letter], act);
    expect(await amendments()).toMatchObject([{ act: "skip", id: undefined, data: undefined }]);
  });
});

describe("redrive", () => {
  it("gives dead letters a fresh run, in their old place", async () => {
    const letter = add(0, "dead");
    const follower = add(1, "following");
    const other = add(3, "dead");
    expect(await operate.redrive([letter, other, letter], act)).toEqual({
      changed: 2,
      lanes: [
        { consumer: "c", lane: "k" },
        { consumer: "c", lane: "other" },
      ],
      unchanged: [],
    });
    expect(await entry(letter)).toMatchObject({
      state: "parked",
      due: 5_000,
      attempt: 0,
      redrives: 1,
      record: { id: "first" },
    });
    expect(await entry(follower)).toMatchObject({ state: "following" });
    expect(head()?.entry).toBe(letter);
    expect(await audit()).toHaveLength(2);
  });

  it("makes a letter that had let others pass hold its lane while it runs", async () => {
    const letter = add(0, "dead", false);
    await operate.redrive([letter], act);
    expect(await entry(letter)).toMatchObject({ state: "parked", holds: true });
  });

  it("passes over what is not dead any more, and says so", async () => {
    const letter = add(0, "dead");
    const other = add(3, "dead");
    await operate.redrive([letter], act);
    expect(await operate.redrive([letter, other, 99], act)).toMatchObject({ changed: 1, unchanged: [letter, 99] });
    expect(await operate.skip([letter, other, 99], act)).toEqual({
      changed: 0,
      lanes: [],
      unchanged: [letter, other, 99],
    });
    expect(await entry(letter)).toMatchObject({ redrives: 1 });
    expect(await audit()).toHaveLength(2);
  });
});

describe("forget", () => {
  it("removes registration, positions, lanes and amendments of this consumer alone", async () => {
    scratch.register("d", { topic: "orders", types: ["order.placed"] });
    for (const consumer of ["c", "d"]) {
      scratch.addEntry({ consumer, topic: "orders", offset: 0, state: "dead" });
      run(
        scratch.database,
        "INSERT INTO mr_amendments VALUES (?, 'orders', 0, 1, 'skip', NULL, NULL, NULL, 'r', 'a', 1)",
        consumer,
      );
    }
    expect(await operate.forget("c", act)).toEqual({ changed: 4, lanes: [] });
    for (const table of ["mr_consumers", "mr_positions", "mr_lane_entries", "mr_amendments"])
      expect(all<{ consumer: string }>(scratch.database, `SELECT consumer FROM ${table}`), table).toEqual([
        { consumer: "d" },
      ]);
    expect(await audit()).toMatchObject([{ act: "forget", target: "consumer c" }]);
  });

  it("fails when nobody has that name", () => {
    expect(() => operate.forget("nobody", act)).toThrow(expect.objectContaining({ code: "NOT_FOUND" }));
    expect(audit()).toEqual([]);
  });
});

describe("every act on a dead letter", () => {
  it("changes nothing for an entry that is not there", async () => {
    expect(() => operate.edit({ entry: 99, id: "i", data: "{}", version: 1 }, act)).toThrow(
      expect.objectContaining({ code: "NOT_FOUND" }),
    );
    for (const outcome of [await operate.skip([99], act), await operate.redrive([99], act)])
      expect(outcome).toEqual({ changed: 0, lanes: [], unchanged: [99] });
    expect(audit()).toEqual([]);
  });

  it.each(["parked", "following"] as const)("changes nothing for an entry that is %s", async (state) => {
    const one = add(0, state);
    expect(() => operate.edit({ entry: one, id: "i", data: "{}", version: 1 }, act)).toThrow(
      expect.objectContaining({ code: "CONFLICT" }),
    );
    for (const outcome of [await operate.skip([one], act), await operate.redrive([one], act)])
      expect(outcome).toEqual({ changed: 0, lanes: [], unchanged: [one] });
    expect(entry(one)).toMatchObject({ state, redrives: 0 });
    expect(audit()).toEqual([]);
  });
});
