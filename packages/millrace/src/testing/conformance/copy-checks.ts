import { deepEqual, equal } from "node:assert/strict";
import type { ClaimedEvent, Position, Unit } from "../../store/unit.js";
import type { SharedStoreUnderTest } from "./shared-store.js";
import type { Check } from "./suite.js";
import {
  acquire,
  assertPosition,
  checkedConsumer,
  checkedService,
  checkedTopic,
  newEntry,
  newRecord,
  outcomes,
  recordClaim,
  unitOf,
} from "./units.js";

const at = 1_700_000_000_000;
const named = (id: string, more: Partial<ClaimedEvent> = {}): ClaimedEvent => ({
  ...{ source: "far", id, time: at, appended: at },
  ...more,
});

/** A unit of the event at an offset. */
function handling(position: Position, offset: number, event: ClaimedEvent, effect = event.id): Unit {
  return unitOf({ ...recordClaim(position, offset), events: [event] }, { records: [newRecord(`${effect}@${offset}`)] });
}

/** An event that the log holds twice. Stores without an inbox stand beside a log that does not. */
export const copyChecks: Readonly<Record<string, Check<SharedStoreUnderTest>>> = {
  "handles an event once that comes at several offsets, and moves on past its copies": async ({ left, published }) => {
    if (left.inbox === undefined) return;
    const [position] = await acquire(left);
    const [later, other] = [named("a", { appended: at + 5 * 86_400_000 }), named("a", { source: "near" })];
    deepEqual(await outcomes(left, handling(position!, 0, named("a")), handling(position!, 1, named("a"))), [
      "committed",
      "already",
    ]);
    deepEqual(await outcomes(left, handling(position!, 2, later), handling(position!, 3, other)), [
      "already",
      "committed",
    ]);
    await assertPosition(left, position!, { frontier: 4, finished: [] });
    deepEqual(await published(), ["a@0", "a@3"]);
  },

  "knows copies after a restart of the consumer, and in another process": async ({ left, right, published }) => {
    if (left.inbox === undefined) return;
    const [position] = await acquire(left);
    deepEqual(await outcomes(left, handling(position!, 0, named("a"))), ["committed"]);
    const { surplus } = await left.leases(checkedConsumer);
    await left.release([position!, ...surplus]);
    await acquire(right);
    const { held } = await right.leases(checkedConsumer);
    const taken = held.find(({ partition }) => partition === position!.partition);
    if (taken !== undefined) deepEqual(await outcomes(right, handling(taken, 1, named("a"))), ["already"]);
    deepEqual(await published(), ["a@0"]);
  },

  "knows an event that waits in a lane, and one of many that were taken at once": async ({ left }) => {
    if (left.inbox === undefined) return;
    const [position] = await acquire(left);
    const claim = { ...recordClaim(position!, 0), events: [named("parked")] };
    deepEqual(await outcomes(left, unitOf(claim, { entry: newEntry(0) }, { lane: "k" })), ["committed"]);
    deepEqual(await outcomes(left, handling(position!, 1, named("parked"))), ["already"]);
    const many = (offsets: readonly number[], ids: readonly string[]) =>
      unitOf(
        {
          ...{ type: "records", lanes: [] },
          parts: [
            {
              position: position!,
              ranges: offsets.map((o) => [o, o + 1] as const),
              events: ids.map((id) => named(id)),
            },
          ],
        },
        {},
      );
    deepEqual(await outcomes(left, many([2, 3], ["b", "c"])), ["committed"]);
    deepEqual(await outcomes(left, many([4, 5], ["c", "d"]), many([6, 7], ["e", "e"])), ["held", "held"]);
    deepEqual(await outcomes(left, handling(position!, 4, named("c")), handling(position!, 5, named("d"))), [
      "already",
      "committed",
    ]);
  },

  "does not take the events of other consumers for copies, nor what is refused for handled": async ({ left }) => {
    if (left.inbox === undefined) return;
    const [position] = await acquire(left);
    const [other] = await acquire(left, [0, 0], "other");
    const stale = {
      ...handling(position!, 0, named("a")),
      reads: [{ service: checkedService, type: "t", id: "x", version: 9 }],
    };
    deepEqual(await outcomes(left, stale), ["reload"]);
    deepEqual(await outcomes(left, handling(position!, 0, named("a")), handling(other!, 0, named("a"))), [
      "committed",
      "committed",
    ]);
  },

  "tells what a consumer has reached of an event whose offset nobody knows": async ({ left }) => {
    if (left.inbox === undefined) return;
    const [position] = await acquire(left);
    const { partition } = position!;
    const place = {
      topic: checkedTopic,
      partition,
      offset: -1,
      type: "thing.done",
      keyHash: 0,
      source: "far",
      id: "a",
    };
    const reach = async () => (await left.readReach(checkedConsumer, place)).type;
    equal(await reach(), "pending");
    await outcomes(left, handling(position!, 4, named("a")));
    equal(await reach(), "reached");
  },
};
