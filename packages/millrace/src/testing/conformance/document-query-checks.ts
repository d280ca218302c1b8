import { deepEqual, equal, ok } from "node:assert/strict";
import type { DocumentQuery, FieldCondition, IndexValue } from "../../store/document-query.js";
import type { Store } from "../../store/store.js";
import type { DocumentWrite } from "../../store/unit.js";
import type { StoreUnderTest } from "./store.js";
import type { Check } from "./suite.js";
import { checkedService, committed, ensureThings, indexedThing, thing, writing } from "./units.js";

type Asked = Partial<Omit<DocumentQuery, "service" | "type">>;

const placesOf = async (store: Store, asked: Asked): Promise<readonly string[]> => {
  const query = { service: checkedService, type: "things", where: [], limit: 100, ...asked };
  return (await store.findDocuments(query)).map(({ id }) => id);
};

const countOf = (store: Store, where: readonly FieldCondition[]) =>
  store.countDocuments({ service: checkedService, type: "things", where });

/** Walks all pages along `group`, two documents at a time. */
async function walk(store: Store, descending: boolean): Promise<readonly string[]> {
  const ids: string[] = [];
  for (let after: { value: IndexValue; id: string } | undefined; ; ) {
    const page = await store.findDocuments({
      ...{ service: checkedService, type: "things", where: [], limit: 2, after },
      order: { field: "group", descending },
    });
    const last = page.at(-1);
    if (last === undefined) return ids;
    ok(page.length <= 2);
    ids.push(...page.map(({ id }) => id));
    after = { value: (JSON.parse(last.text) as { group?: IndexValue }).group ?? null, id: last.id };
  }
}

const groups: readonly (readonly [id: string, group: string | number | null])[] = [
  ["a", 3],
  ["b", "x"],
  ["c", null],
  ["d", -1.5],
  ["e", 3],
  ["f", "X"],
  ["g", ""],
  ["h", 10],
];

async function filled(store: Store): Promise<void> {
  await ensureThings(store);
  await committed(store, writing(groups.map(([id, group]) => indexedThing(id, { group, mail: `mail-${id}` }))));
}

async function changing(text: string): Promise<DocumentWrite> {
  return { service: checkedService, type: "watched", id: text, schema: 1, text: `"${text}"`, indexed: [] };
}

/** Documents: filters, ranges, orders, pages and counts over their indexes, and what commits have changed. */
export const documentQueryChecks: Readonly<Record<string, Check<StoreUnderTest>>> = {
  "orders by an index, either way: numbers, texts, absent values; the same value in id order": async ({ store }) => {
    await filled(store);
    const rising = ["d", "a", "e", "h", "g", "f", "b", "c"];
    deepEqual(await placesOf(store, { order: { field: "group", descending: false } }), rising);
    deepEqual(await placesOf(store, { order: { field: "group", descending: true } }), [...rising].reverse());
    deepEqual(await walk(store, false), rising);
    deepEqual(await walk(store, true), [...rising].reverse());
  },

  "filters by ranges, which hold values of one kind": async ({ store }) => {
    await filled(store);
    const range = async (condition: object) => {
      const where = [{ field: "group", ...condition }];
      const ids = await placesOf(store, { where });
      equal(await countOf(store, where), ids.length);
      return ids.join("");
    };
    equal(await range({ from: { value: 3, inclusive: true } }), "aeh");
    equal(await range({ from: { value: 3, inclusive: false } }), "h");
    equal(await range({ to: { value: 3, inclusive: true } }), "ade");
    equal(await range({ from: { value: -2, inclusive: true }, to: { value: 3, inclusive: false } }), "d");
    equal(await range({ from: { value: "X", inclusive: true } }), "bf");
    equal(await range({ to: { value: "x", inclusive: false } }), "fg");
  },

  "needs all conditions to hold, whatever the order": async ({ store }) => {
    await filled(store);
    const where: FieldCondition[] = [
      { field: "group", equals: 3 },
      { field: "mail", from: { value: "mail-b", inclusive: true } },
    ];
    deepEqual(await placesOf(store, { where }), ["e"]);
    deepEqual(await placesOf(store, { where, order: { field: "mail", descending: true } }), ["e"]);
    deepEqual(await placesOf(store, { where, order: { field: "group", descending: true } }), ["e"]);
    equal(await countOf(store, where), 1);
    deepEqual(await placesOf(store, { where: [{ field: "group", equals: null }] }), ["c"]);
    deepEqual(await placesOf(store, { where: [{ field: "mail", equals: "mail-f" }] }), ["f"]);
  },

  "finds and counts documents without a condition, in id order": async ({ store }) => {
    await filled(store);
    deepEqual(await placesOf(store, { limit: 3, after: { value: null, id: "e" } }), ["f", "g", "h"]);
    equal(await countOf(store, []), 8);
    equal(await store.countDocuments({ service: "nobody", type: "things", where: [] }), 0);
  },

  "follows changes of an indexed value in its order": async ({ store }) => {
    await filled(store);
    await committed(store, writing([indexedThing("h", { group: 0 }), thing("d", undefined)]));
    const order = { field: "group", descending: false };
    deepEqual((await placesOf(store, { order })).slice(0, 3), ["h", "a", "e"]);
  },

  "remembers which documents a commit changed, for types that want it": async ({ store }) => {
    await ensureThings(store);
    const shape = { service: checkedService, type: "watched", indexes: [], unique: [], schema: 1, changes: true };
    await store.ensureDocumentType({ ...shape, indexOf: () => [] });
    const asked = { service: checkedService, type: "watched", after: 0, limit: 100 };
    deepEqual((await store.readChanges(asked)).commits, []);
    const first = await committed(store, writing([await changing("a"), await changing("b"), thing("a", "1")]));
    const gone: DocumentWrite = { ...(await changing("a")), text: undefined };
    const second = await committed(store, writing([gone]));
    const { commits, knownAfter } = await store.readChanges(asked);
    deepEqual(commits, [
      { commit: first.commit, ids: ["a", "b"] },
      { commit: second.commit, ids: ["a"] },
    ]);
    ok(knownAfter < first.commit);
    deepEqual((await store.readChanges({ ...asked, after: first.commit })).commits.length, 1);
    deepEqual((await store.readChanges({ ...asked, type: "things" })).commits, []);
  },
};
