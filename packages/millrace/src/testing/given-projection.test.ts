import { expect, it } from "vitest";
import { z } from "zod";
import { event } from "../contract/event.js";
import { topic } from "../contract/topic.js";
import { type Projection, projection } from "../projection/projection.js";
import { sqlProjection } from "../projection/sql.js";
import { given } from "./given.js";
import { toldBy } from "./given-told.js";

const Visit = z.object({ page: z.string(), by: z.array(z.string()).default([]) });
const visits = topic("visits", {
  key: "page",
  events: {
    made: event("visit.made", Visit),
    removed: event("visit.removed", Visit),
    lost: event("visit.lost", Visit),
  },
});
const Count = z.object({ visits: z.int(), last: z.string().optional() });
type Row = z.infer<typeof Count>;
const empty = () => projection("counts", { version: 1, row: Count });
const counts = empty()
  .on(visits.made, { key: ({ data }) => ["all", data.page] }, (row) => ({ visits: (row?.visits ?? 0) + 1 }))
  .on(visits.removed, () => undefined);
const made = (page: string) => visits.made({ page, by: [] });
const folded = (fold: (row: Row | undefined) => Row | undefined) => empty().on(visits.made, fold);

it("folds events into the rows of their keys, in order, deletions too", () => {
  const told = given(counts, [made("a"), made("b"), visits.removed({ page: "b", by: [] }), made("b"), made("a")]);
  told.then({ all: { visits: 4 }, a: { visits: 2 }, b: { visits: 1 } });
  expect(told.rows).toEqual({ a: { visits: 2 }, all: { visits: 4 }, b: { visits: 1 } });
  given(counts, []).then({});
});

it("shows rows that are other, missing or not expected, line by line", () => {
  expect(
    toldBy(() =>
      given(counts, [made("a"), made("b")]).then({ all: { visits: 3 }, a: { visits: 1 }, c: { visits: 1 } }),
    ),
  ).toBe(
    [
      "projection counts@1: other rows (- expected, + folded)",
      '    a {"visits":1}',
      '  - all {"visits":3}',
      '  + all {"visits":2}',
      "      visits: 3 was expected, it is 2",
      '  + b {"visits":1}',
      '  - c {"visits":1}',
    ].join("\n"),
  );
});

let next = 0;
it.each<[string, Projection<Row>, RegExp]>([
  ["does not fit", folded(() => ({ visits: 0.5 })), /counts@1.* v1: \/visits/],
  ["is a promise", folded((async () => ({ visits: 1 })) as never), /fold of visit.made returned a promise/],
  [
    "is changed in place",
    folded((row) => (row === undefined ? { visits: 1 } : Object.assign(row, { visits: 2 }))),
    /fold of visit.made into a threw .*read only/,
  ],
  ["is another each time", folded(() => ({ visits: next++ })), /not pure.*\n {6}visits: 0 was expected, it is 1/],
])("says so when a row %s", (_, view, text) => {
  expect(toldBy(() => given(view, [made("a"), made("a")]))).toMatch(text);
});

it("says so when an event is not folded, rows are in SQL, or it is awaited", async () => {
  expect(toldBy(() => given(counts, [visits.lost({ page: "a", by: [] })]))).toBe(
    "projection counts@1 does not fold visit.lost; it folds visit.made, visit.removed",
  );
  const tables = { counts: "CREATE TABLE counts (page TEXT)" };
  const view = sqlProjection("counts", { version: 1, tables }).on(visits.made, () => undefined);
  expect(toldBy(() => given(view as never, []))).toMatch(/harness/);
  const told = given(counts, []) as unknown as Promise<unknown>;
  await expect((async () => told)()).rejects.toThrow(/nothing to await/);
});
