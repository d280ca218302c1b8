import { deepEqual, equal, ok } from "node:assert/strict";
import type { Position } from "../../store/unit.js";
import type { StoreUnderTest } from "./store.js";
import type { Check } from "./suite.js";
import {
  acquire,
  checkedConsumer,
  commit,
  committed,
  newEntry,
  newRecord,
  outcomes,
  readRecord,
  recordClaim,
  unitOf,
} from "./units.js";

const entryClaim = (position: Position, entry: number, attempt: number) =>
  ({ type: "lane-entry", position, entry, attempt, redrives: 0 }) as const;

/** Parks the records at these offsets: the first as the head of the lane "k", the others behind it. */
async function parked({ store }: StoreUnderTest, ...offsets: readonly number[]) {
  const [position] = await acquire(store);
  const entries: number[] = [];
  for (const offset of offsets) {
    const entry = newEntry(offset, offset === offsets[0] ? {} : { state: "following", attempt: 0, failure: undefined });
    const unit = unitOf(recordClaim(position!, offset), { entry }, { lane: "k" });
    entries.push((await committed(store, unit)).entry);
  }
  return { position: position!, entries };
}
const head = async ({ store }: StoreUnderTest) => {
  const found = await store.readLaneHead(checkedConsumer, "k");
  return found === undefined ? undefined : [found.entry, found.state, found.holds];
};

/** Lanes: entries, their heads and followers, and what a held lane refuses. */
export const laneChecks: Readonly<Record<string, Check<StoreUnderTest>>> = {
  "keeps an event that was taken out of the flow whole, foreign bytes included": async (adapter) => {
    const [position] = await acquire(adapter.store);
    const record = {
      ...readRecord(0, undefined),
      bytes: Uint8Array.of(0, 255, 10),
      headers: { actor: "ann" },
      causationId: "cause",
    };
    const entry = newEntry(0, { record, redrives: 2 });
    const { entry: id } = await committed(adapter.store, unitOf(recordClaim(position!, 0), { entry }));
    await adapter.reopen();
    const stored = await adapter.store.readEntry(id);
    deepEqual([...(stored?.record.bytes ?? [])], [0, 255, 10]);
    ok((stored?.size ?? 0) > 0, "its size says what it takes in memory");
    deepEqual(
      { ...stored, size: 0, record: { ...stored?.record, bytes: undefined } },
      {
        ...entry,
        entry: id,
        size: 0,
        record: { ...record, bytes: undefined },
      },
    );
    equal(await adapter.store.readEntry(id + 1_000), undefined);
  },

  "holds a lane that has entries: what runs past them is refused, what joins them stands behind": async (adapter) => {
    const { store } = adapter;
    const { position, entries } = await parked(adapter, 0);
    const direct = (offset: number, lane: string) =>
      unitOf(recordClaim(position, offset), { records: [newRecord(`r${offset}`)] }, { lane });
    deepEqual(await outcomes(store, direct(1, "k"), direct(2, "other")), ["held", "committed"]);
    deepEqual(await adapter.published(), ["r2"]);
    const follower = newEntry(1, { state: "following", attempt: 0, failure: undefined });
    await committed(store, unitOf(recordClaim(position, 1), { entry: follower }, { lane: "k" }));
    deepEqual(await head(adapter), [entries[0], "parked", true]);
    deepEqual(
      (await store.readLaneHeads(checkedConsumer)).map(({ lane, entry }) => [lane, entry]),
      [["k", entries[0]]],
    );
  },

  "lets the first of two units of a group that park in one lane through, and holds the second": async ({ store }) => {
    const [position] = await acquire(store);
    const unit = (offset: number) => unitOf(recordClaim(position!, offset), { entry: newEntry(offset) }, { lane: "k" });
    deepEqual(await outcomes(store, unit(0), unit(1)), ["committed", "held"]);
  },

  "runs an entry once for each attempt": async (adapter) => {
    const { store } = adapter;
    const { position, entries } = await parked(adapter, 0);
    const [entry] = entries as [number];
    const again = newEntry(0, { attempt: 2, due: 9_000 });
    const retry = unitOf(entryClaim(position, entry, 1), { change: again, records: [newRecord("never twice")] });
    deepEqual(await outcomes(store, retry), ["committed"]);
    deepEqual(await outcomes(store, retry), ["already"]);
    const stored = await store.readEntry(entry);
    deepEqual([stored?.state, stored?.attempt, stored?.due, stored?.since], ["parked", 2, 9_000, 1_000]);
    const success = unitOf(entryClaim(position, entry, 2), { records: [newRecord("done")] });
    deepEqual(await outcomes(store, success, success), ["committed", "already"]);
    deepEqual([await store.readEntry(entry), await head(adapter)], [undefined, undefined]);
    deepEqual(await adapter.published(), ["never twice", "done"]);
  },

  "makes the next follower the head when an entry succeeds, and frees the lane after the last": async (adapter) => {
    const { store } = adapter;
    const { position, entries } = await parked(adapter, 0, 1, 2);
    for (const [index, entry] of entries.entries()) {
      deepEqual(await head(adapter), [entry, "parked", true]);
      const attempt = index === 0 ? 1 : 0;
      await committed(store, unitOf(entryClaim(position, entry, attempt), {}));
    }
    equal(await head(adapter), undefined);
    deepEqual(await outcomes(store, unitOf(recordClaim(position, 3), {}, { lane: "k" })), ["committed"]);
  },

  "keeps followers behind a dead letter, and does not run it": async (adapter) => {
    const { store } = adapter;
    const { position, entries } = await parked(adapter, 0, 1);
    const [entry] = entries as [number];
    await committed(
      store,
      unitOf(entryClaim(position, entry, 1), { change: newEntry(0, { state: "dead", attempt: 2 }) }),
    );
    deepEqual(await head(adapter), [entry, "dead", true]);
    deepEqual(await outcomes(store, unitOf(entryClaim(position, entry, 2), {})), ["already"]);
    deepEqual(await outcomes(store, unitOf(recordClaim(position, 2), {}, { lane: "k" })), ["held"]);
  },

  "lets others pass a dead letter that does not hold": async (adapter) => {
    const { store } = adapter;
    const { position, entries } = await parked(adapter, 0, 1);
    const [entry, follower] = entries as [number, number];
    const change = newEntry(0, { state: "dead", holds: false, attempt: 2 });
    await committed(store, unitOf(entryClaim(position, entry, 1), { change }));
    deepEqual(await head(adapter), [follower, "parked", true]);
    await committed(store, unitOf(entryClaim(position, follower, 0), {}));
    deepEqual(await outcomes(store, unitOf(recordClaim(position, 2), {}, { lane: "k" })), ["committed"]);
    equal((await store.readEntry(entry))?.state, "dead");
  },

  "makes a follower whose lane has become free the head": async (adapter) => {
    const { store } = adapter;
    const { position, entries } = await parked(adapter, 0);
    const [entry] = entries as [number];
    const follower = newEntry(1, { state: "following", attempt: 0, due: 99, failure: undefined });
    const group = await commit(
      store,
      unitOf(entryClaim(position, entry, 1), {}),
      unitOf(recordClaim(position, 1), { entry: follower }, { lane: "k" }),
    );
    const [, joined] = group;
    ok(joined?.type === "committed");
    deepEqual(await head(adapter), [joined.entry, "parked", true]);
  },

  "drops what an entry's unit asks for under an epoch that is over": async (adapter) => {
    const { store } = adapter;
    const { position, entries } = await parked(adapter, 0);
    const [renewed] = await acquire(store);
    const [entry] = entries as [number];
    deepEqual(await outcomes(store, unitOf(entryClaim(position, entry, 1), {})), ["fenced"]);
    deepEqual(await outcomes(store, unitOf(entryClaim(renewed!, entry, 1), {})), ["committed"]);
  },

  "keeps lanes held over a restart": async (adapter) => {
    const { entries } = await parked(adapter, 0, 1);
    await adapter.reopen();
    const { store } = adapter;
    const [position] = await acquire(store);
    deepEqual(await outcomes(store, unitOf(recordClaim(position!, 2), {}, { lane: "k" })), ["held"]);
    deepEqual(
      (await store.readLaneHeads(checkedConsumer)).map(({ entry, state }) => [entry, state]),
      [[entries[0], "parked"]],
    );
    deepEqual(await store.readAmendments(checkedConsumer), []);
  },
};
