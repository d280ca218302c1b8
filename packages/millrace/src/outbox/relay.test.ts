import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Failure } from "../failure/failure.js";
import type { Logger } from "../runtime/logger.js";
import { subscribe } from "../runtime/signals.js";
import { type VirtualClock, virtualClock } from "../testing/virtual-clock.js";
import { Relay } from "./relay.js";
import { TrialLog, TrialOutbox, TrialShards, trialRecord } from "./trial-outbox.js";

const records = (from: number, to: number) => Array.from({ length: to - from }, (_, n) => trialRecord(from + n));
const ids = (from: number, to: number) => records(from, to).map(({ id }) => id);
const away = (count: number) =>
  Array.from({ length: count }, () => new Failure("LOG_UNAVAILABLE", "no broker answers"));

let clock: VirtualClock;
let lines: string[];
let relays: Relay[];
const logger: Logger = {
  debug() {},
  info: (_, text) => void lines.push(text),
  warn: (_, text) => void lines.push(text),
  error: (_, text) => void lines.push(text),
  child: () => logger,
};

beforeEach(() => {
  [clock, lines, relays] = [virtualClock(), [], []];
});
afterEach(async () => {
  const closing = Promise.all(relays.map((relay) => relay.close()));
  await clock.advance(20_000);
  await closing;
});

async function relayOf(shards: TrialShards, member = "a") {
  const [log, outbox] = [new TrialLog(), new TrialOutbox(shards, member)];
  const relay = new Relay({ outbox, log, clock, logger });
  relays.push(relay);
  await relay.start();
  return { relay, log, outbox };
}

describe("the relay", () => {
  it("sends what is there and what comes, in order, in bounded batches", async () => {
    const shards = new TrialShards("shop");
    shards.commit("shop", records(0, 2_500));
    const { log } = await relayOf(shards);
    await clock.advance(10);
    expect(log.appends).toEqual([1_000, 1_000, 500]);
    shards.commit("shop", records(2_500, 2_510));
    await clock.advance(10);
    expect(log.ids).toEqual(ids(0, 2_510));
  });

  it("sends at once when it is rung for, gathers while more come, and finds within a second what nobody rang for", async () => {
    const shards = new TrialShards("shop");
    const { log } = await relayOf(shards);
    shards.commit("shop", records(0, 1));
    await clock.advance(0);
    expect(log.ids).toEqual(ids(0, 1));
    for (let n = 1; n < 5; n += 1) shards.commit("shop", records(n, n + 1));
    await clock.advance(6);
    expect(log.appends).toEqual([1, 4]);
    await clock.advance(10);
    shards.commit("shop", records(5, 6), { rings: false });
    await clock.advance(900);
    expect(log.ids).toHaveLength(5);
    await clock.advance(150);
    expect(log.ids).toEqual(ids(0, 6));
  });

  it("waits longer and longer while the log is away, says that nothing is lost, and goes on by itself", async () => {
    const shards = new TrialShards("shop");
    const { relay, log } = await relayOf(shards);
    log.failing.push(...away(4));
    shards.commit("shop", records(0, 3));
    await clock.advance(40);
    expect(log.appends).toHaveLength(1);
    expect(relay.troubles).toMatchObject([{ shard: "shop", reason: "LOG_UNAVAILABLE: no broker answers" }]);
    await clock.advance(50 + 100 + 200);
    expect(log.appends).toHaveLength(4);
    await clock.advance(400);
    expect(log.ids).toEqual(ids(0, 3));
    expect(relay.troubles).toEqual([]);
    expect(lines.at(0)).toContain("wait in its outbox, nothing is lost: no broker answers");
    expect(lines.at(-1)).toBe("events of shop are sent again after 1 s; none was lost");
  });

  it("appends no page twice because the note of it was lost", async () => {
    const shards = new TrialShards("shop");
    const { log, outbox } = await relayOf(shards);
    const lost = () => new Failure("STORE_UNAVAILABLE", "the connection broke");
    outbox.failing.sent = [lost()];
    outbox.failing["sent-after"] = [lost()];
    shards.commit("shop", records(0, 2));
    await clock.advance(500);
    shards.commit("shop", records(2, 4));
    await clock.advance(500);
    expect(log.ids).toEqual(ids(0, 4));
  });

  it("speaks of a log that does not acknowledge", async () => {
    const shards = new TrialShards("shop");
    const { relay, log } = await relayOf(shards);
    log.hold();
    shards.commit("shop", records(0, 1));
    await clock.advance(9_000);
    expect(relay.troubles).toEqual([]);
    await clock.advance(1_500);
    expect(relay.troubles).toMatchObject([{ reason: "the log has not acknowledged events" }]);
    log.release();
    await clock.advance(10);
    expect([log.ids, relay.troubles]).toEqual([ids(0, 1), []]);
  });

  it("tells what it sent, and how long the oldest of it had waited", async () => {
    const told: unknown[] = [];
    const unsubscribe = subscribe("relayed", (fields) => void told.push(fields));
    const waiting: unknown[] = [];
    const unsubscribeToo = subscribe("relay-backlog", (fields) => void waiting.push(fields));
    const shards = new TrialShards("shop");
    const { log } = await relayOf(shards);
    log.hold();
    shards.commit("shop", records(0, 2));
    await clock.advance(1_200);
    log.release();
    await clock.advance(1_200);
    unsubscribe();
    unsubscribeToo();
    expect(told).toEqual([{ shard: "shop", records: 2, bytes: 14, lagMs: 1_203 }]);
    expect(waiting).toContainEqual({ shard: "shop", records: 2, waitedMs: 0 });
    expect(waiting.at(-1)).toEqual({ shard: "shop", records: 0, waitedMs: 0 });
  });
});

describe("several relays", () => {
  it("share the shards, and take those of one that leaves", async () => {
    const shards = new TrialShards("a", "b", "c", "d");
    const one = await relayOf(shards, "one");
    const two = await relayOf(shards, "two");
    await clock.advance(2_500);
    const owners = () => [...shards.owners.values()].map(({ owner }) => owner).sort();
    expect(owners()).toEqual(["one", "one", "two", "two"]);
    shards.members.delete("one");
    await one.relay.close();
    await clock.advance(1_500);
    expect(owners()).toEqual(["two", "two", "two", "two"]);
    for (const shard of ["a", "b", "c", "d"]) shards.commit(shard, [trialRecord(1, shard)]);
    await clock.advance(10);
    expect([one.log.ids.length, two.log.ids.length]).toEqual([0, 4]);
  });

  it("send a page again when one died after the log had it: the copies come first, in the same order", async () => {
    const shards = new TrialShards("shop");
    const dying = await relayOf(shards, "dying");
    dying.outbox.failing.sent = [new Failure("STORE_UNAVAILABLE", "it died here")];
    shards.commit("shop", records(0, 5));
    await clock.advance(10);
    shards.members.delete("dying");
    shards.steal("shop", "next");
    const next = await relayOf(shards, "next");
    shards.commit("shop", records(5, 8));
    await clock.advance(2_000);
    expect([...dying.log.ids, ...next.log.ids]).toEqual([...ids(0, 5), ...ids(0, 8)]);
    // The one that was taken for dead goes on: it is fenced, and sends no more.
    expect(dying.log.ids).toEqual(ids(0, 5));
    expect(lines).toContain("another process sends the events of shop now");
  });

  it("hand a shard over when the page under way has ended", async () => {
    const shards = new TrialShards("a", "b");
    const one = await relayOf(shards, "one");
    one.log.hold();
    for (const shard of ["a", "b"]) shards.commit(shard, [trialRecord(1, shard)]);
    await clock.advance(10);
    const two = await relayOf(shards, "two");
    await clock.advance(2_000);
    expect(two.log.ids).toEqual([]);
    one.log.release();
    await clock.advance(3_000);
    shards.commit("b", [trialRecord(2, "b")]);
    await clock.advance(10);
    expect([one.log.ids, two.log.ids]).toEqual([["e-1", "e-1"], ["e-2"]]);
  });

  it("give back what they have within a bound, even when the log hangs", async () => {
    const shards = new TrialShards("shop");
    const { relay, log } = await relayOf(shards);
    log.hold();
    shards.commit("shop", records(0, 1));
    await clock.advance(10);
    let closed = false;
    void relay.close().then(() => {
      closed = true;
    });
    await clock.advance(4_000);
    expect([closed, shards.owners.size]).toEqual([false, 1]);
    await clock.advance(2_000);
    expect([closed, shards.owners.size]).toEqual([true, 0]);
  });

  it("go on after the store did not answer for a while", async () => {
    const shards = new TrialShards("shop");
    const { log, outbox } = await relayOf(shards);
    outbox.failing.leases = away(3);
    outbox.failing.next = away(2);
    shards.commit("shop", records(0, 2));
    await clock.advance(5_000);
    expect(log.ids).toEqual(ids(0, 2));
  });
});
