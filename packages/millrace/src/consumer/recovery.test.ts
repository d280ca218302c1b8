import { expect, it } from "vitest";
import { silentLogger } from "../runtime/logger.js";
import type { LaneHead, Store } from "../store/store.js";
import type { Position } from "../store/unit.js";
import { PartitionFeed } from "./feed.js";
import { Lane } from "./lane.js";
import type { Lanes } from "./lanes.js";
import { Recovery } from "./recovery.js";

const position = { id: 1, consumer: "c", topic: "t", partition: 0, epoch: 1, crashes: 2, frontier: 0, finished: [] };
const head: LaneHead = { lane: "key:a", entry: 1, state: "parked", due: 0, holds: true };

/** A recovery after two crashes, with an event left in a partition and one at the head of a lane. */
function recovering() {
  const partition = new PartitionFeed(position as unknown as Position, () => undefined);
  const lane = new Lane("key:a");
  lane.head = head;
  const lanes = { find: () => lane } as unknown as Lanes;
  const store = { recovered: () => {} } as unknown as Store;
  const said: string[] = [];
  const recovery = new Recovery(
    {
      ...{ consumer: "c", store, logger: silentLogger, lanes, partitions: [partition], announced: () => 0 },
      calmed: () => said.push("calmed"),
      stop: (error) => said.push(String(error)),
    },
    { ends: new Map([[partition, 5]]), heads: new Map([["key:a", 1]]), charged: new Set(), now: 10 },
  );
  return { recovery, partition, lane, said };
}

it("a recovery waits for the events that may have been under way", () => {
  const { recovery, said } = recovering();
  expect([recovery.look(), recovery.alone, said]).toEqual([false, true, []]);
});

it("a recovery does not wait for what was handed over to another process", () => {
  const { recovery, partition, lane, said } = recovering();
  partition.left = true;
  expect(recovery.look()).toBe(false);
  lane.away = true;
  expect([recovery.look(), recovery.alone, said]).toEqual([true, false, ["calmed"]]);
});
