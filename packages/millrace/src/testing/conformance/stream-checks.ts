import { deepEqual, equal } from "node:assert/strict";
import type { NewRecord } from "../../log/log.js";
import type { Store } from "../../store/store.js";
import type { StreamRead } from "../../store/stream.js";
import type { Effects, Unit } from "../../store/unit.js";
import type { StoreUnderTest } from "./store.js";
import type { Check } from "./suite.js";
import {
  checkedService,
  checkedStreams,
  commit,
  committed,
  ensureThings,
  newRecord,
  outcomes,
  thing,
} from "./units.js";

/** A stream as it was read. */
const read = (key: string, version: number): StreamRead => ({ topic: checkedStreams, key, version });

/** An event of a stream, the nth of it. */
function event(key: string, sequence: number, more: Partial<NewRecord> = {}): NewRecord {
  const headers = { sequence };
  const id = `${key}-${sequence}`;
  return newRecord(id, { topic: checkedStreams, key, headers, named: false, data: `{"n":${sequence}}`, ...more });
}

/** A unit that decided on a version of a stream and appends so many events to it. */
function appending(key: string, version: number, count: number, effects: Effects = {}): Unit {
  const events = Array.from({ length: count }, (_, index) => event(key, version + index + 1));
  const records = [...events, ...(effects.records ?? [])];
  return {
    claim: { type: "publish" },
    reads: [],
    stream: read(key, version),
    lane: undefined,
    effects: { ...effects, records },
  };
}

async function sequences(store: Store, key: string, after = 0, limit = 1_000) {
  const { records, version } = await store.readStream({ topic: checkedStreams, key, after, limit });
  return { version, sequences: records.map(({ headers }) => headers?.sequence) };
}

const snapshot = (key: string, version: number, fold = 1) => ({
  topic: checkedStreams,
  key,
  version,
  fold,
  text: `{"at":${version}}`,
});

/** Aggregates' streams: their versions, which commits check, their pages, their snapshots. */
export const streamChecks: Readonly<Record<string, Check<StoreUnderTest>>> = {
  "appends to a stream in order, and tells its version, 0 when it has no events": async (adapter) => {
    const { store } = adapter;
    deepEqual(await sequences(store, "a"), { version: 0, sequences: [] });
    await committed(store, appending("a", 0, 2));
    await committed(store, appending("a", 2, 1));
    deepEqual(await sequences(store, "a"), { version: 3, sequences: [1, 2, 3] });
    await adapter.reopen();
    deepEqual(await sequences(adapter.store, "a"), { version: 3, sequences: [1, 2, 3] });
    await committed(adapter.store, appending("a", 3, 1));
    const { records } = await adapter.store.readStream({ topic: checkedStreams, key: "a", after: 2, limit: 10 });
    deepEqual(
      records.map(({ id, key, type, data, headers }) => ({ id, key, type, data, headers })),
      [3, 4].map((n) => ({ id: `a-${n}`, key: "a", type: "thing.done", data: { n }, headers: { sequence: n } })),
    );
  },

  "refuses a unit that decided on another version, and stores nothing of it": async ({ store, published }) => {
    await ensureThings(store);
    const also = { documents: [thing("a", "1")], records: [newRecord("never")] };
    await committed(store, appending("a", 0, 1));
    deepEqual(await outcomes(store, appending("a", 0, 1, also)), ["reload"]);
    deepEqual(await outcomes(store, appending("a", 2, 1, also)), ["reload"]);
    // One that appends nothing was decided on what it read, too.
    deepEqual(await outcomes(store, appending("a", 0, 0, also)), ["reload"]);
    deepEqual(await outcomes(store, appending("b", 1, 0, also)), ["reload"]);
    deepEqual(await sequences(store, "a"), { version: 1, sequences: [1] });
    equal(await store.readDocument(checkedService, "things", "a"), undefined);
    deepEqual(await published(), []);
  },

  "lets the first unit of a group that appends to a stream win, absent streams included": async ({ store }) => {
    const group = [
      appending("a", 0, 2),
      appending("a", 0, 1),
      appending("a", 2, 1),
      appending("b", 0, 1),
      appending("a", 3, 0),
    ];
    deepEqual(await outcomes(store, ...group), ["committed", "reload", "committed", "committed", "committed"]);
    deepEqual(await sequences(store, "a"), { version: 3, sequences: [1, 2, 3] });
    deepEqual(await sequences(store, "b"), { version: 1, sequences: [1] });
  },

  "takes the rest of a unit into the stream's commit, or leaves both out": async ({ store, published }) => {
    await ensureThings(store);
    await committed(store, appending("a", 0, 1, { documents: [thing("a", "1")], records: [newRecord("public")] }));
    deepEqual(await published(), ["public"]);
    const bad: Effects = { statements: [{ text: "INSERT INTO nowhere VALUES (1)", params: [], rows: undefined }] };
    deepEqual(await outcomes(store, appending("a", 1, 1, bad), appending("b", 0, 1)), ["failed", "committed"]);
    deepEqual(await sequences(store, "a"), { version: 1, sequences: [1] });
    deepEqual(await outcomes(store, appending("a", 1, 1)), ["committed"]);
  },

  "reads a stream a page at a time, whatever else was appended between": async ({ store }) => {
    let version = 0;
    for (const count of [1, 7, 1, 40, 2]) {
      await commit(store, appending("other", version, count), appending("a", version, count));
      version += count;
    }
    const found: unknown[] = [];
    for (;;) {
      const page = await sequences(store, "a", found.length, 8);
      equal(page.version, version);
      found.push(...page.sequences);
      if (found.length === version) break;
      equal(page.sequences.length, 8);
    }
    deepEqual(
      found,
      Array.from({ length: version }, (_, index) => index + 1),
    );
    deepEqual(await sequences(store, "a", version), { version, sequences: [] });
    deepEqual(await sequences(store, "a", 3, 0), { version, sequences: [] });
  },

  "keeps the newest snapshot of a stream, in the commit of its events": async (adapter) => {
    const name = { topic: checkedStreams, key: "a" };
    equal(await adapter.store.readSnapshot(name), undefined);
    await committed(adapter.store, appending("a", 0, 2, { snapshot: snapshot("a", 2) }));
    deepEqual(await outcomes(adapter.store, appending("a", 0, 3, { snapshot: snapshot("a", 3) })), ["reload"]);
    deepEqual(await adapter.store.readSnapshot(name), snapshot("a", 2));
    await committed(adapter.store, appending("a", 2, 2, { snapshot: snapshot("a", 4, 2) }));
    await adapter.reopen();
    deepEqual(await adapter.store.readSnapshot(name), snapshot("a", 4, 2));
    equal(await adapter.store.readSnapshot({ topic: checkedStreams, key: "b" }), undefined);
  },
};
