import { expect, it } from "vitest";
import type { OpenEngine } from "../engine/engine.js";
import { silentLogger } from "../runtime/logger.js";
import type { LaneHead } from "../store/store.js";
import type { Position } from "../store/unit.js";
import { virtualClock } from "../testing/virtual-clock.js";
import type { Alone } from "./alone.js";
import { PartitionFeed } from "./feed.js";
import { Lane } from "./lane.js";
import type { Lanes } from "./lanes.js";
import type { ConsumerPlan } from "./plan.js";
import { Recovery } from "./recovery.js";

const position = { id: 1, consumer: "c", topic: "t", partition: 0, epoch: 1, crashes: 2, frontier: 0, finished: [] };
const head: LaneHead = { lane: "key:a", entry: 1, state: "parked", due: 0, holds: true };

/** A recovery after two crashes, with an event left in a partition and one at the head of a lane. */
function recovering() {
  const partition = new PartitionFeed(position as unknown as Position, () => undefined);
  const lane = new Lane("key:a");
  lane.head = head;
  const clock = virtualClock();
  const alone = { active: false, announced: 0 } as unknown as Alone;
  const said: string[] = [];
  const recovery = new Recovery({
    plan: { name: "c" } as ConsumerPlan,
    engine: { store: { recovered: () => said.push("recovered") } } as unknown as OpenEngine,
    clock,
    logger: silentLogger,
    lanes: { find: () => lane } as unknown as Lanes,
    alone,
    partitions: () => [partition],
    homeAmong: () => undefined,
    lookAgain: () => said.push("looks again"),
    turned: () => said.push(alone.active ? "alone" : "calm"),
    stop: (error) => said.push(String(error)),
  });
  recovery.begin({ ends: new Map([[1, 5]]), heads: new Map([["key:a", 1]]), charged: [], now: 10 });
  return { recovery, partition, lane, alone, clock, said };
}

it("a recovery waits for the events that may have been under way", () => {
  const { recovery, said } = recovering();
  recovery.look();
  expect(said).toEqual(["alone"]);
});

it("a recovery does not wait for what was handed over to another process", () => {
  const { recovery, partition, lane, said } = recovering();
  partition.left = true;
  recovery.look();
  expect(said).toEqual(["alone"]);
  lane.away = true;
  recovery.look();
  expect(said).toEqual(["alone", "calm", "recovered"]);
});

it("a recovery in which nothing moves for half a minute, as a handler never ends, lets events run side by side", async () => {
  const { recovery, alone, clock, said } = recovering();
  await clock.advance(29_000);
  alone.announced = 1;
  await clock.advance(29_000);
  expect(said).toEqual(["alone"]);
  await clock.advance(3_000);
  expect([said, alone.active]).toEqual([["alone", "calm", "looks again"], false]);
  recovery.look();
  expect(said).toHaveLength(3);
});
