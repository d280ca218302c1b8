import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { EventQuery } from "../store/inspect.js";
import { findCorrelation, findEvent, searchEvents } from "./event-search.js";
import { idAt, Scratch } from "./scratch.js";

let scratch: Scratch;
beforeEach(() => {
  scratch = new Scratch();
  scratch.addTopic("orders", { partitions: 2 });
  scratch.addTopic("payments");
});
afterEach(() => scratch.remove());

const keys = (query: Partial<EventQuery>) =>
  searchEvents(scratch.database, { limit: 100, ...query }).events.map((event) => event.key);

/** Follows `next` to the end, with pages of the given size. */
function pages(query: Partial<EventQuery>, limit: number): string[][] {
  const found: string[][] = [];
  let after: string | undefined;
  do {
    const page = searchEvents(scratch.database, { limit, ...query, ...(after === undefined ? {} : { after }) });
    found.push(page.events.map((event) => event.key));
    after = page.next;
  } while (after !== undefined);
  return found;
}

describe("a search", () => {
  beforeEach(() => {
    scratch.append("orders", 1_000, { key: "a" }, { key: "b", partition: 1 });
    scratch.append("payments", 2_000, { key: "c", type: "payment.taken", data: '{"pence":250,"by":{"card":"visa"}}' });
    scratch.append("orders", 3_000, { key: "d", source: "till", data: '{"pence":1000}' });
    scratch.append("payments", 4_000, { key: "e", type: "payment.refused", data: '{"pence":30}' }, { key: "f" });
  });

  it("gives events of all topics in the order they were appended, either way", () => {
    expect(keys({})).toEqual(["a", "b", "c", "d", "e", "f"]);
    expect(keys({ newestFirst: true })).toEqual(["f", "e", "d", "c", "b", "a"]);
  });

  it.each([1, 2, 3, 5])("goes on where a page of %i ended, without gap or repeat", (limit) => {
    expect(pages({}, limit).flat()).toEqual(["a", "b", "c", "d", "e", "f"]);
    expect(pages({ newestFirst: true }, limit).flat()).toEqual(["f", "e", "d", "c", "b", "a"]);
    expect(pages({}, limit).every((page) => page.length <= limit)).toBe(true);
  });

  it("has no next page when it has given everything", () => {
    expect(searchEvents(scratch.database, { limit: 6 }).next).toBeUndefined();
    expect(searchEvents(scratch.database, { limit: 5 }).next).toBeDefined();
  });

  it("is followed by what is appended later, also in topics that were empty or are new", () => {
    const { cursor } = searchEvents(scratch.database, { limit: 100, since: 9_000 });
    scratch.append("orders", 9_500, { key: "g" });
    scratch.addTopic("returns");
    scratch.append("returns", 9_600, { key: "h" });
    const later = searchEvents(scratch.database, { limit: 100, since: 9_000, after: cursor });
    expect(later.events.map((event) => event.key)).toEqual(["g", "h"]);
    expect(searchEvents(scratch.database, { limit: 100, after: later.cursor }).events).toEqual([]);
  });

  it("does not show newer events on later pages of newest first", () => {
    const page = searchEvents(scratch.database, { limit: 2, newestFirst: true });
    scratch.append("orders", 9_500, { key: "g" });
    const rest = searchEvents(scratch.database, { limit: 100, newestFirst: true, after: page.next ?? "" });
    expect(rest.events.map((event) => event.key)).toEqual(["d", "c", "b", "a"]);
  });

  it("finds by topic, type, prefix of types, key and source", () => {
    expect(keys({ topic: "payments" })).toEqual(["c", "e", "f"]);
    expect(keys({ topic: "nothing" })).toEqual([]);
    expect(keys({ type: "payment.taken" })).toEqual(["c"]);
    expect(keys({ type: "payment" })).toEqual([]);
    expect(keys({ type: "payment.*" })).toEqual(["c", "e"]);
    expect(keys({ key: "b" })).toEqual(["b"]);
    expect(keys({ source: "till" })).toEqual(["d"]);
    expect(keys({ type: "order.placed", source: "till", key: "a" })).toEqual([]);
  });

  it("does not take a text inside data for a key", () => {
    scratch.append("orders", 5_000, { key: "z", data: '{"note":"till"}' });
    expect(keys({ source: "till" })).toEqual(["d"]);
  });

  it("finds keys that JSON has to quote", () => {
    scratch.append("orders", 5_000, { key: 'say "é"\n' });
    expect(keys({ key: 'say "é"\n' })).toEqual(['say "é"\n']);
  });

  it("finds by time of appending, `until` exclusive", () => {
    expect(keys({ since: 2_000, until: 4_000 })).toEqual(["c", "d"]);
    expect(keys({ since: 2_001 })).toEqual(["d", "e", "f"]);
    expect(keys({ until: 1_000 })).toEqual([]);
    expect(keys({ since: 2_000, until: 4_000, newestFirst: true })).toEqual(["d", "c"]);
  });

  it("finds by values in data, numbers as numbers and text as text", () => {
    const data = (path: string, op: "=" | ">" | "<" | ">=" | "<=", value: string) =>
      keys({ data: [{ path, op, value }] });
    expect(data("pence", "=", "250")).toEqual(["c"]);
    expect(data("pence", ">", "99")).toEqual(["c", "d"]);
    expect(data("pence", "<=", "250")).toEqual(["c", "e"]);
    expect(data("by.card", "=", "visa")).toEqual(["c"]);
    expect(data("by.card", ">=", "vase")).toEqual(["c"]);
    expect(data("by.card.constructor", "=", "x")).toEqual([]);
    expect(data("constructor.name", "=", "Object")).toEqual([]);
    expect(data("missing", "<", "1")).toEqual([]);
  });

  it("finds words that foreign JSON spells with escapes", () => {
    scratch.append("orders", 5_000, { key: "z", data: '{"card":"\\u0076isa"}' });
    expect(keys({ data: [{ path: "card", op: "=", value: "visa" }] })).toEqual(["z"]);
  });

  it("refuses a cursor that is not one, and one of the other direction", () => {
    const { cursor } = searchEvents(scratch.database, { limit: 1 });
    for (const query of [{ after: "%%%" }, { after: cursor, newestFirst: true }, { after: "WyJvIixbWyJ4Il1dXQ" }])
      expect(() => keys(query)).toThrow(expect.objectContaining({ code: "OPTION_INVALID" }));
  });

  it("ends a page early when it has read its share of the log, and goes on from there", () => {
    const filler = JSON.stringify("x".repeat(3 * 1024 * 1024));
    for (let n = 0; n < 8; n += 1) scratch.append("orders", 5_000 + n, { key: "filler", data: filler });
    scratch.append("orders", 6_000, { key: "needle" });
    const found = pages({ key: "needle" }, 10);
    expect(found.length).toBeGreaterThan(1);
    expect(found[0]).toEqual([]);
    expect(found.flat()).toEqual(["needle"]);
  });

  it("walks more blocks than it lists at once", () => {
    for (let n = 0; n < 300; n += 1) scratch.append("payments", 5_000 + n, { key: `n${n}` });
    const expected = Array.from({ length: 300 }, (_, n) => `n${n}`);
    expect(pages({ since: 5_000 }, 170).flat()).toEqual(expected);
    expect(pages({ since: 5_000, newestFirst: true }, 170).flat()).toEqual(expected.reverse());
  });
});

describe("an event by its id", () => {
  it("is found among others of its second, and not by mention of its id", () => {
    scratch.append("orders", 1_000, { id: idAt(1_000, 1), key: "a" }, { id: idAt(1_001, 2), key: "b" });
    scratch.append("orders", 1_002, {
      id: idAt(1_002, 3),
      key: "c",
      causationId: idAt(1_001, 2),
      data: `["${idAt(1_001, 2)}",1]`,
    });
    expect(findEvent(scratch.database, idAt(1_001, 2))?.key).toBe("b");
    expect(findEvent(scratch.database, idAt(1_001, 99))).toBeUndefined();
  });

  it("is found when its caller chose a text as id, from whatever source", () => {
    scratch.append(
      "orders",
      1_000,
      { id: "x-1", source: "zoo", named: true, key: "a" },
      { id: "x-2", source: "bar", named: true, key: "b" },
    );
    expect(findEvent(scratch.database, "x-1")).toMatchObject({ key: "a", topic: "orders", offset: 0 });
    expect(findEvent(scratch.database, "x-2")).toMatchObject({ key: "b", offset: 1 });
    expect(findEvent(scratch.database, "x-3")).toBeUndefined();
  });
});

describe("a correlation", () => {
  const root = idAt(1_000, 1);
  const derived = (n: number) => idAt(1_000, n);

  it("has causes before effects, over all topics, also those of one commit", () => {
    scratch.append("orders", 1_000, { id: root, key: "root" });
    const first = { id: derived(2), correlationId: root, causationId: root, hops: 1, key: "first" };
    const second = { id: derived(3), correlationId: root, causationId: derived(2), hops: 2, key: "second" };
    const third = { id: derived(4), correlationId: root, causationId: derived(3), hops: 1, key: "third" };
    scratch.append("payments", 90_000, third, second, { id: derived(9), key: "stranger" });
    scratch.append("orders", 90_000, first);
    const found = findCorrelation(scratch.database, root, 100).map((record) => record.key);
    expect(found).toEqual(["root", "first", "second", "third"]);
  });

  it("is cut at its limit, the earliest first", () => {
    scratch.append("orders", 1_000, { id: root, key: "root" });
    for (let n = 2; n < 9; n += 1)
      scratch.append("payments", 1_000 * n, {
        id: derived(n),
        correlationId: root,
        causationId: root,
        hops: 1,
        key: `${n}`,
      });
    expect(findCorrelation(scratch.database, root, 3).map((record) => record.key)).toEqual(["root", "2", "3"]);
  });

  it("is found by a root id that is not a UUID: what it caused has the root's time in its ids", () => {
    scratch.append("orders", 7_000, { id: "order-1", named: true, time: 5_000, key: "root" });
    scratch.append("payments", 99_000, {
      id: idAt(5_000, 2),
      correlationId: "order-1",
      causationId: "order-1",
      hops: 1,
      key: "effect",
    });
    expect(findCorrelation(scratch.database, "order-1", 10).map((record) => record.key)).toEqual(["root", "effect"]);
    expect(findCorrelation(scratch.database, "order-2", 10)).toEqual([]);
  });

  it("comes to an end when damaged data has causes in a circle", () => {
    scratch.append(
      "orders",
      1_000,
      { id: root, causationId: derived(2) },
      { id: derived(2), correlationId: root, causationId: root },
    );
    expect(findCorrelation(scratch.database, root, 10)).toHaveLength(2);
  });
});
