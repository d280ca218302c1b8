import { deepEqual, equal, ok } from "node:assert/strict";
import type { Store } from "../../store/store.js";
import type { Position } from "../../store/unit.js";
import { both } from "./race-checks.js";
import type { SharedStoreUnderTest } from "./shared-store.js";
import type { Check } from "./suite.js";
import {
  acquire,
  assertPosition,
  checkedConsumer,
  commit,
  committed,
  newEntry,
  newRecord,
  outcomes,
  recordClaim,
  unitOf,
} from "./units.js";

/** Both take part; what each of them has in the end. */
async function shared({ left, right }: SharedStoreUnderTest): Promise<readonly [Position, Position]> {
  await acquire(left);
  await acquire(right);
  const { surplus } = await left.leases(checkedConsumer);
  await left.release(surplus);
  const leased = [await left.leases(checkedConsumer), await right.leases(checkedConsumer)];
  const [mine, others] = leased.map(({ held }) => held);
  equal(mine?.length, 1);
  equal(others?.length, 1);
  return [mine?.[0] as Position, others?.[0] as Position];
}

const direct = (position: Position, offset: number, id: string) =>
  unitOf(recordClaim(position, offset), { records: [newRecord(id)] }, { lane: "k" });
const parking = (position: Position, offset: number) =>
  unitOf(recordClaim(position, offset), { entry: newEntry(offset) }, { lane: "k" });

async function holds(store: Store): Promise<boolean> {
  return (await store.readLaneHead(checkedConsumer, "k")) !== undefined;
}

/** Two processes that share a consumer: leases, their epochs, and lanes that both meet. */
export const sharingChecks: Readonly<Record<string, Check<SharedStoreUnderTest>>> = {
  "shares partitions fairly: what is given back is the other's, under a new epoch and without a crash": async (
    under,
  ) => {
    const [mine, others] = await shared(under);
    ok(mine.partition !== others.partition);
    equal(others.crashes, 0);
    const before = { ...others, epoch: others.epoch - 1 };
    deepEqual(await outcomes(under.left, direct(before, 0, "zombie")), ["fenced"]);
    deepEqual(await outcomes(under.right, direct(others, 0, "living")), ["committed"]);
    deepEqual(await under.published(), ["living"]);
  },

  "drops what a process sends under an epoch that is over, also beside what is in force": async (under) => {
    const [old] = await acquire(under.left);
    const [renewed] = await acquire(under.left);
    const group = [direct(old!, 0, "zombie"), direct(renewed!, 0, "living")];
    deepEqual(await outcomes(under.left, ...group), ["fenced", "committed"]);
    await under.left.commit([], [{ position: old!, start: 0, end: 900 }]);
    await assertPosition(under.right, renewed!, { frontier: 1, finished: [] });
  },

  "runs nothing past a lane that another process parks at the same time": async (under) => {
    const [mine, others] = await shared(under);
    for (let round = 0; round < 12; round += 1) {
      const [parked, passed] = await both(under, parking(mine, round), direct(others, round, `r${round}`));
      equal(parked, "committed");
      ok(passed === "held" || passed === "committed");
      // Once it is parked, nothing passes, wherever it comes from.
      deepEqual(await outcomes(under.right, direct(others, 100 + round, "never")), ["held"]);
      const head = await under.left.readLaneHead(checkedConsumer, "k");
      const claim = { type: "lane-entry", position: mine, entry: head!.entry, attempt: 1, redrives: 0 } as const;
      await committed(under.left, unitOf(claim, {}));
      equal(await holds(under.right), false);
      if (passed === "held") await committed(under.right, direct(others, round, `again${round}`));
    }
  },

  "makes a follower of one process the head when the other one frees the lane at the same time": async (under) => {
    const [mine, others] = await shared(under);
    for (let round = 0; round < 12; round += 1) {
      const { entry } = await committed(under.left, parking(mine, round));
      const follower = newEntry(round, { state: "following", attempt: 0, failure: undefined });
      const joins = unitOf(recordClaim(others, round), { entry: follower }, { lane: "k" });
      const claim = { type: "lane-entry", position: mine, entry, attempt: 1, redrives: 0 } as const;
      deepEqual(await both(under, unitOf(claim, {}), joins), ["committed", "committed"]);
      const head = await under.left.readLaneHead(checkedConsumer, "k");
      equal(head?.state, "parked", "a follower without a head would wait for ever");
      await committed(
        under.left,
        unitOf({ type: "lane-entry", position: mine, entry: head!.entry, attempt: 0, redrives: 0 }, {}),
      );
    }
  },

  "takes a record once, when its position changes hands while it is committed": async (under) => {
    for (let round = 0; round < 6; round += 1) {
      const [position] = await acquire(under.left);
      const id = `r${round}`;
      const [taken] = await Promise.all([commit(under.left, direct(position!, round, id)), acquire(under.left)]);
      const stored = (await under.published()).includes(id);
      equal(taken[0]?.type, stored ? "committed" : "fenced");
      const [now] = await acquire(under.left);
      deepEqual(await outcomes(under.left, direct(now!, round, id)), [stored ? "already" : "committed"]);
    }
  },
};
