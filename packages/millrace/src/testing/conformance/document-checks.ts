import { deepEqual, equal, ok, rejects } from "node:assert/strict";
import { isFailure } from "../../failure/failure.js";
import type { StoreUnderTest } from "./store.js";
import type { Check } from "./suite.js";
import {
  assertRising,
  checkedService,
  commit,
  committed,
  ensureThings,
  indexedThing,
  newRecord,
  outcomes,
  readOf,
  thing,
  thingIndexes,
  unitOf,
  writing,
} from "./units.js";

const find = (value: string | number | null, after?: string, limit = 100) => ({
  service: checkedService,
  type: "things",
  where: [{ field: "group", equals: value }],
  ...(after === undefined ? {} : { after: { value: null, id: after } }),
  limit,
});
const version = async ({ store }: StoreUnderTest, id: string) =>
  (await store.readDocument(checkedService, "things", id))?.version ?? 0;

/** Documents: their versions, the reads that are checked against them, their indexes. */
export const documentChecks: Readonly<Record<string, Check<StoreUnderTest>>> = {
  "gives a document a new version with each commit that writes it, never one it had": async (adapter) => {
    const { store } = adapter;
    await ensureThings(store);
    equal(await store.readDocument(checkedService, "things", "a"), undefined);
    const seen: number[] = [];
    for (const text of ['{"n":1}', '{"n":1}', undefined, '{"n":1}']) {
      const done = await committed(store, writing([thing("a", text)]));
      const stored = await store.readDocument(checkedService, "things", "a");
      deepEqual(stored, text === undefined ? undefined : { version: done.commit, schema: 1, text });
      seen.push(done.commit);
    }
    assertRising(seen);
  },

  "finds each of many documents that are asked for at once, also where one is asked for twice or is not there": async (
    adapter,
  ) => {
    const { store } = adapter;
    await ensureThings(store);
    const { commit } = await committed(store, writing(["0", "1", "2"].map((id) => thing(id, id))));
    const ids = Array.from({ length: 1_500 }, (_, n) => String(n % 4));
    const found = await Promise.all(ids.map((id) => store.readDocument(checkedService, "things", id)));
    deepEqual(
      found,
      ids.map((id) => (id === "3" ? undefined : { version: commit, schema: 1, text: id })),
    );
  },

  "refuses a unit whose reads are stale, and stores nothing of it": async (adapter) => {
    const { store } = adapter;
    await ensureThings(store);
    const absent = readOf("a", 0);
    deepEqual(await outcomes(store, writing([thing("b", "1")], [absent])), ["committed"]);
    const made = await committed(store, writing([thing("a", "1")]));
    const stale = unitOf(
      { type: "publish" },
      { documents: [thing("c", "1")], records: [newRecord("never")] },
      { reads: [absent] },
    );
    deepEqual(await outcomes(store, stale), ["reload"]);
    await committed(store, writing([thing("a", undefined)]));
    deepEqual(await outcomes(store, writing([thing("c", "1")], [readOf("a", made.commit)])), ["reload"]);
    await committed(store, writing([thing("a", "1")]));
    deepEqual(await outcomes(store, writing([thing("c", "1")], [readOf("a", made.commit)])), ["reload"]);
    deepEqual([await version(adapter, "c"), await adapter.published()], [0, []]);
  },

  "lets the first unit of a group that touches a document win; later ones read or decide again": async (adapter) => {
    const { store } = adapter;
    await ensureThings(store);
    const { commit: seen } = await committed(store, writing([thing("a", "0"), thing("b", "0")]));
    const group = [
      writing([thing("a", "1")], [readOf("a", seen)]),
      writing([thing("a", "2")], [readOf("a", seen)]),
      writing([thing("a", "3")]),
      writing([thing("c", "4")], [readOf("a", seen)]),
      writing([thing("b", "5")], [readOf("b", seen)]),
    ];
    deepEqual(await outcomes(store, ...group), ["committed", "reload", "reload", "reload", "committed"]);
    equal((await store.readDocument(checkedService, "things", "a"))?.text, "1");
    equal(await version(adapter, "c"), 0);
  },

  "does not let two units of a group break a rule over what both have read": async ({ store }) => {
    await ensureThings(store);
    const { commit: seen } = await committed(store, writing([thing("a", "1"), thing("b", "1")]));
    const reads = [readOf("a", seen), readOf("b", seen)];
    deepEqual(await outcomes(store, writing([thing("a", "0")], reads), writing([thing("b", "0")], reads)), [
      "committed",
      "reload",
    ]);
  },

  "overwrites what was not read": async ({ store }) => {
    await ensureThings(store);
    await committed(store, writing([thing("a", "1")]));
    await committed(store, writing([thing("a", "2")]));
    equal((await store.readDocument(checkedService, "things", "a"))?.text, "2");
  },

  "keeps services and types apart": async ({ store }) => {
    for (const [service, type] of [
      ["one", "things"],
      ["two", "things"],
      ["one", "others"],
    ] as const) {
      await store.ensureDocumentType({ service, type, indexes: [], unique: [], schema: 1, indexOf: () => [] });
      await committed(
        store,
        writing([{ service, type, id: "a", schema: 1, text: `"${service} ${type}"`, indexed: [] }]),
      );
    }
    equal((await store.readDocument("two", "things", "a"))?.text, '"two things"');
    deepEqual([...(await store.documentServices("things"))].sort(), ["one", "two"]);
    deepEqual(await store.documentServices("nowhere"), []);
  },

  "finds documents by an indexed field in id order, a page at a time, and follows their changes": async ({ store }) => {
    await ensureThings(store);
    const ids = Array.from({ length: 25 }, (_, n) => `t${String(n).padStart(2, "0")}`);
    await committed(store, writing(ids.map((id, n) => indexedThing(id, { group: n % 2 === 0 ? "even" : "odd" }))));
    await committed(store, writing([indexedThing("t04", { group: "odd" }), thing("t06", undefined)]));
    const found: string[] = [];
    for (;;) {
      const page = await store.findDocuments(find("even", found.at(-1), 4));
      found.push(...page.map((one) => one.id));
      ok(page.length <= 4);
      if (page.length < 4) break;
    }
    deepEqual(found, ["t00", "t02", "t08", "t10", "t12", "t14", "t16", "t18", "t20", "t22", "t24"]);
  },

  "tells texts, numbers and absent values of an index apart": async ({ store }) => {
    await ensureThings(store);
    await committed(
      store,
      writing([
        indexedThing("text", { group: "7" }),
        indexedThing("number", { group: 7 }),
        indexedThing("half", { group: 7.5 }),
        indexedThing("absent", { group: null }),
      ]),
    );
    for (const [id, value] of [
      ["text", "7"],
      ["number", 7],
      ["half", 7.5],
      ["absent", null],
    ] as const)
      deepEqual(
        (await store.findDocuments(find(value))).map((one) => one.id),
        [id],
      );
  },

  "lets one document have a unique value: others fail alone, in the same group and later": async ({ store }) => {
    await ensureThings(store);
    const group = await commit(
      store,
      writing([indexedThing("a", { mail: "x" })]),
      writing([indexedThing("b", { mail: "x" })]),
      writing([indexedThing("c", { mail: "y" })]),
    );
    deepEqual(
      group.map((outcome) => outcome.type),
      ["committed", "failed", "committed"],
    );
    ok(group[1]?.type === "failed" && isFailure(group[1].error, "UNIQUE_TAKEN"));
    deepEqual(await outcomes(store, writing([indexedThing("d", { mail: "y" })])), ["failed"]);
    deepEqual(await outcomes(store, writing([indexedThing("e", { mail: "z" }), indexedThing("f", { mail: "z" })])), [
      "failed",
    ]);
    await committed(store, writing([indexedThing("a", { mail: "y" }), indexedThing("c", { mail: "x" })]));
    await committed(store, writing([thing("a", undefined)]));
    await committed(store, writing([indexedThing("d", { mail: "y" }), indexedThing("g", {}), indexedThing("h", {})]));
    equal(await store.readDocument(checkedService, "things", "b"), undefined);
  },

  "builds an index that is declared later over stored documents, or refuses it": async ({ store }) => {
    const bare = { service: checkedService, type: "things", indexes: [], unique: [], schema: 1, indexOf: () => [] };
    await store.ensureDocumentType(bare);
    await committed(store, writing([thing("a", '{"mail":"x","group":"g"}'), thing("b", '{"mail":"y","group":"g"}')]));
    await ensureThings(store);
    deepEqual(
      (await store.findDocuments(find("g"))).map((one) => one.id),
      ["a", "b"],
    );
    deepEqual(await outcomes(store, writing([indexedThing("c", { mail: "x" })])), ["failed"]);
    const indexOf = (text: string) => thingIndexes({ mail: (JSON.parse(text) as { group: string }).group });
    await rejects(
      async () => store.ensureDocumentType({ ...bare, unique: ["group"], indexOf }),
      (error) => isFailure(error, "CONFLICT"),
    );
    // The declaration before it still holds.
    deepEqual(
      (await store.findDocuments(find("g"))).map((one) => one.id),
      ["a", "b"],
    );
  },
};
