import { deepEqual, equal, rejects } from "node:assert/strict";
import { isFailure } from "../../failure/failure.js";
import type { EventQuery } from "../../store/inspect.js";
import { appended, type OperatorsUnderTest } from "./operators-scene.js";
import type { Check } from "./suite.js";
import { checkedTopic, newRecord, unitOf } from "./units.js";

const idsOf = (events: readonly { readonly id: string }[]) => events.map(({ id }) => id);
/** A UUIDv7 of the time that records of a scene have. */
const uuid = (n: number) => `018bcfe5-6800-7000-8000-${String(n).padStart(12, "0")}`;

/** Follows `next` to the end. */
async function pages({ inspect }: OperatorsUnderTest, query: EventQuery): Promise<string[][]> {
  const found: string[][] = [];
  let after: string | undefined;
  for (let page = 0; page < 100; page += 1) {
    const { events, next } = await inspect.events({ ...query, ...(after === undefined ? {} : { after }) });
    found.push(idsOf(events));
    if (next === undefined) return found;
    after = next;
  }
  throw new Error("the search never came to the end");
}

/** How operators find events. */
export const eventReadChecks: Readonly<Record<string, Check<OperatorsUnderTest>>> = {
  "events are found in the order of the log, forwards and backwards, page by page": async (on) => {
    await appended(on, ["a", "b", "c"]);
    await appended(on, ["d", "e"], () => ({ partition: 1 }));
    deepEqual((await pages(on, { limit: 100 })).flat().sort(), ["a", "b", "c", "d", "e"]);
    const pieces = await pages(on, { limit: 2 });
    equal(Math.max(...pieces.map((page) => page.length)), 2);
    deepEqual(pieces.flat().sort(), ["a", "b", "c", "d", "e"]);
    const backwards = (await pages(on, { limit: 2, newestFirst: true })).flat();
    deepEqual([...backwards].sort(), ["a", "b", "c", "d", "e"]);
    deepEqual(
      backwards.filter((id) => "abc".includes(id)),
      ["c", "b", "a"],
    );
  },

  "events are found by what they are": async (on) => {
    await appended(on, ["a", "b", "c", "d"], (id, n) => ({
      ...(id === "b" ? { type: "thing.other", correlationId: "flow" } : {}),
      data: JSON.stringify({ n, order: { state: id === "c" ? "paid" : "open" } }),
    }));
    const found = async (more: Partial<EventQuery>) => (await pages(on, { limit: 10, ...more })).flat();
    deepEqual(await found({ type: "thing.other" }), ["b"]);
    deepEqual(await found({ type: "thing.d*" }), ["a", "c", "d"]);
    deepEqual(await found({ key: "k-d" }), ["d"]);
    deepEqual(await found({ correlationId: "flow" }), ["b"]);
    deepEqual(await found({ data: [{ path: "order.state", op: "=", value: "paid" }] }), ["c"]);
    deepEqual(await found({ data: [{ path: "n", op: ">=", value: "2" }] }), ["c", "d"]);
    deepEqual(await found({ topic: "unknown" }), []);
    deepEqual(await found({ topic: checkedTopic, source: "nobody" }), []);
  },

  "events are found by when they reached the log": async (on) => {
    const [record] = await appended(on, ["a", "b"]);
    const at = record!.appended;
    const found = async (more: Partial<EventQuery>) => (await pages(on, { limit: 10, ...more })).flat();
    deepEqual(await found({ since: at }), ["a", "b"]);
    deepEqual(await found({ until: at }), []);
    deepEqual(await found({ since: at + 1_000_000 }), []);
    deepEqual(await found({ until: at + 1_000_000, newestFirst: true }), ["b", "a"]);
  },

  "a search that came to the end goes on with what was appended since": async (on) => {
    await appended(on, ["a"]);
    const first = await on.inspect.events({ limit: 10 });
    deepEqual(idsOf(first.events), ["a"]);
    const none = await on.inspect.events({ limit: 10, after: first.cursor });
    deepEqual([none.events, none.next], [[], undefined]);
    await appended(on, ["b", "c"]);
    const second = await on.inspect.events({ limit: 10, after: none.cursor });
    deepEqual(idsOf(second.events), ["b", "c"]);
    await rejects(
      async () => on.inspect.events({ limit: 10, after: "rubbish" }),
      (error) => isFailure(error, "OPTION_INVALID"),
    );
    await rejects(
      async () => on.inspect.events({ limit: 10, after: first.cursor, newestFirst: true }),
      (error) => isFailure(error, "OPTION_INVALID"),
    );
  },

  "an event is found by its id": async (on) => {
    await appended(on, [uuid(1), uuid(2), uuid(3)]);
    const found = await on.inspect.event(uuid(2));
    deepEqual([found?.id, found?.topic, found?.partition], [uuid(2), checkedTopic, 0]);
    equal(await on.inspect.event(uuid(9)), undefined);
    equal(await on.inspect.event("unknown"), undefined);
  },

  "an event whose id its publisher chose is found by it": async (on) => {
    await appended(on, ["before"]);
    const records = [newRecord("chosen", { named: true })];
    const [outcome] = await on.store.commit([unitOf({ type: "publish" }, { records })], []);
    equal(outcome?.type, "committed");
    const found = await on.inspect.event("chosen");
    deepEqual([found?.id, found?.type], ["chosen", "thing.done"]);
  },

  "what belongs together is found by its correlation, causes before effects": async (on) => {
    await appended(on, [uuid(1)]);
    const effect = (n: number, cause: number) => ({ correlationId: uuid(1), causationId: uuid(cause), hops: n });
    await appended(on, [uuid(2), uuid(7), uuid(3)], (id) =>
      id === uuid(7) ? {} : effect(id === uuid(2) ? 1 : 2, id === uuid(2) ? 1 : 2),
    );
    deepEqual(idsOf(await on.inspect.correlation(uuid(1), 100)), [uuid(1), uuid(2), uuid(3)]);
    deepEqual(idsOf(await on.inspect.correlation(uuid(1), 2)), [uuid(1), uuid(2)]);
    deepEqual(await on.inspect.correlation(uuid(9), 100), []);
  },
};
