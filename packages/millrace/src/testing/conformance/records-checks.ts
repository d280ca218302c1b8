import { deepEqual } from "node:assert/strict";
import type { Claim, Position, Range } from "../../store/unit.js";
import type { StoreUnderTest } from "./store.js";
import type { Check } from "./suite.js";
import {
  acquire,
  assertPosition,
  ensureThings,
  newEntry,
  outcomes,
  readOf,
  recordClaim,
  thing,
  unitOf,
} from "./units.js";

function claimOf(parts: readonly (readonly [Position, readonly Range[]])[], lanes: readonly string[] = []): Claim {
  return { type: "records", parts: parts.map(([position, ranges]) => ({ position, ranges })), lanes };
}

const effects = () => ({ documents: [thing("a", "1")] });

/** Claims of many records at once. */
export const recordsChecks: Readonly<Record<string, Check<StoreUnderTest>>> = {
  "takes many records of several partitions in one unit, once": async ({ store }) => {
    await ensureThings(store);
    const [one, two] = (await acquire(store)) as [Position, Position];
    const claim = claimOf([
      [
        one,
        [
          [0, 3],
          [5, 6],
        ],
      ],
      [two, [[0, 2]]],
    ]);
    deepEqual(await outcomes(store, unitOf(claim, effects())), ["committed"]);
    await assertPosition(store, one, { frontier: 3, finished: [[5, 6]] });
    await assertPosition(store, two, { frontier: 2, finished: [] });
    deepEqual(await outcomes(store, unitOf(claim, effects())), ["already"]);
    deepEqual(await outcomes(store, unitOf(recordClaim(one, 2), effects())), ["already"]);
  },

  "refuses many records when one of them is taken, one lane is held, or one lease is lost": async ({ store }) => {
    await ensureThings(store);
    const [one, two] = (await acquire(store)) as [Position, Position];
    deepEqual(await outcomes(store, unitOf(recordClaim(one, 1), {})), ["committed"]);
    const both = claimOf([
      [
        one,
        [
          [0, 1],
          [1, 2],
        ],
      ],
    ]);
    deepEqual(await outcomes(store, unitOf(both, effects())), ["held"]);
    deepEqual(await outcomes(store, unitOf(recordClaim(two, 0), { entry: newEntry(0) })), ["committed"]);
    deepEqual(await outcomes(store, unitOf(claimOf([[one, [[2, 3]]]], ["j", "k"]), effects())), ["held"]);
    deepEqual(await outcomes(store, unitOf(claimOf([[one, [[2, 3]]]], ["j"]), effects())), ["committed"]);
    const lost = { ...two, epoch: two.epoch - 1 };
    const mixed = claimOf([
      [one, [[3, 4]]],
      [lost, [[1, 2]]],
    ]);
    deepEqual(await outcomes(store, unitOf(mixed, effects())), ["fenced"]);
    const stale = unitOf(claimOf([[one, [[3, 4]]]]), effects(), { reads: [readOf("a", 0)] });
    deepEqual(await outcomes(store, stale), ["reload"]);
    await assertPosition(store, one, { frontier: 0, finished: [[1, 3]] });
  },
};
