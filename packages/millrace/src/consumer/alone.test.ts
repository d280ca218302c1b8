import { afterEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { documents } from "../contract/documents.js";
import { command, event } from "../contract/event.js";
import { topic } from "../contract/topic.js";
import type { LogRecord } from "../log/log.js";
import { silentLogger } from "../runtime/logger.js";
import { saga } from "../saga/saga.js";
import { service } from "../service/declare.js";
import type { Store } from "../store/store.js";
import type { NewEntry, Outcome, Position } from "../store/unit.js";
import { endTrials, gate, otherProgram, type Trial, tempFolder, trial } from "../testing/trial.js";
import { virtualClock } from "../testing/virtual-clock.js";
import { Alone } from "./alone.js";
import { Committer } from "./committer.js";
import { Lane } from "./lane.js";
import type { Subscription } from "./plan.js";
import { Run } from "./run.js";

afterEach(endTrials);

const Step = z.object({ key: z.string(), n: z.int() });
const steps = topic("steps", { key: "key", partitions: 2, events: { taken: event("step.taken", Step) } });
const echoes = topic("echoes", { key: "key", partitions: 2, events: { heard: event("echo.heard", Step) } });
const poke = command("poke", Step, { key: "key" });
const seen = documents("seen", z.object({ key: z.string(), by: z.array(z.int()) }), { id: "key" });
const never = new Promise<void>(() => {});

/** A life of the process: its handlers wait for ever where `hangs` says so, and are under way when it dies. */
function stepping(hangs: (key: string) => boolean, ran: string[] = []) {
  const count = { now: 0, most: 0 };
  const made = service("stepping").on(steps.taken, { timeout: "10m" }, async ({ data }, ctx) => {
    ran.push(`${data.key}${data.n}/${ctx.attempt}`);
    count.now += 1;
    count.most = Math.max(count.most, count.now);
    if (hangs(data.key)) await never;
    const before = (await ctx.documents(seen).get(data.key)) ?? { key: data.key, by: [] };
    await ctx.documents(seen).get("turn");
    ctx.documents(seen).put({ ...before, by: [...before.by, data.n] });
    count.now -= 1;
  });
  return { made, ran, count };
}

/** A stop that leaves the file as a killed process would: its leases are not given back. */
async function die(t: Trial, dir: string): Promise<void> {
  const entries = otherProgram(dir, (db) => db.prepare("SELECT entry, state, failure FROM mr_lane_entries").all());
  const crashes = otherProgram(dir, (db) => db.prepare("SELECT position, crashes FROM mr_positions").all());
  await t.stop();
  otherProgram(dir, (db) => {
    for (const { position, crashes: n } of crashes as { position: number; crashes: number }[])
      db.prepare("UPDATE mr_positions SET owner = 'dead', crashes = ? WHERE position = ?").run(n, position);
    expect(db.prepare("SELECT entry, state, failure FROM mr_lane_entries").all()).toEqual(entries);
  });
}
const crashes = async (t: Trial) =>
  (await t.running.engine.inspect.consumers(0))[0]?.positions.map((position) => position.crashes);

describe("a position taken over", () => {
  it("counts a crash when its holder has died, and forgets it once what was under way is done", async () => {
    const dir = tempFolder();
    const first = await trial([stepping((key) => key === "a").made], { dir });
    await first.app.publish([steps.taken({ key: "a", n: 1 }), steps.taken({ key: "b", n: 1 })]);
    await first.clock.advance(100);
    await die(first, dir);
    const hung = gate();
    const slow = service("stepping").on(steps.taken, { timeout: "10m" }, () => hung.opened);
    const second = await trial([slow], { dir, clock: first.clock });
    await second.clock.advance(2_000);
    expect(await crashes(second)).toEqual([1, 1]);
    hung.open();
    await second.rest();
    expect(await crashes(second)).toEqual([0, 0]);
  });

  it("counts nothing after a stop in order, or when nothing was under way", async () => {
    const dir = tempFolder();
    const first = await trial([stepping(() => true).made], { dir });
    await first.app.publish(steps.taken({ key: "a", n: 1 }));
    await first.clock.advance(100);
    const second = await first.again([stepping(() => false).made]);
    expect(await crashes(second)).toEqual([0, 0]);
    await second.rest();
    await die(second, dir);
    const third = await trial([stepping(() => false).made], { dir, clock: first.clock });
    await third.rest();
    expect(await crashes(third)).toEqual([0, 0]);
  });
});

describe("after the second crash", () => {
  /** Dies `times` with all that hangs under way; the life after is the caller's. */
  async function crashed(times: number, hangs: (key: string) => boolean) {
    const dir = tempFolder();
    let t = await trial([stepping(hangs).made], { dir });
    await t.app.publish("abcdefgh".split("").flatMap((key) => [1, 2].map((n) => steps.taken({ key, n }))));
    for (let time = 0; time < times; time += 1) {
      if (time > 0) t = await trial([stepping(hangs).made], { dir, clock: t.clock });
      await t.clock.advance(1_000);
      await die(t, dir);
    }
    return { dir, clock: t.clock };
  }

  it("events run one at a time until those under way are done, in order, and side by side after that", async () => {
    const { dir, clock } = await crashed(2, () => true);
    const life = stepping(() => false);
    const t = await trial([life.made], { dir, clock });
    await t.rest();
    expect(life.count.most).toBe(1);
    for (const key of "abcdefgh") expect((await t.app.documents(seen).get(key))?.by).toEqual([1, 2]);
    expect(await crashes(t)).toEqual([0, 0]);
    expect(await t.entries()).toEqual([]);
    await t.app.publish("abcdefgh".split("").map((key) => steps.taken({ key, n: 3 })));
    await t.rest();
    expect(life.count.most).toBeGreaterThan(1);
  });

  it("an event that runs when the process dies again is charged, alone, and dead after three times", async () => {
    const { dir, clock } = await crashed(2, (key) => key === "d" || key === "e");
    for (const died of [1, 2, 3]) {
      const life = stepping((key) => key === "d");
      const t = await trial([life.made], { dir, clock });
      await t.clock.advance(1_000);
      expect(life.ran.at(-1)).toBe(`d1/${died}`);
      const [charged] = await t.entries();
      expect(charged).toMatchObject({ state: "running", failure: { code: "PROCESS_DIED", crashes: died } });
      await die(t, dir);
    }
    const life = stepping((key) => key === "d");
    const t = await trial([life.made], { dir, clock });
    await t.rest();
    expect(life.ran).not.toContainEqual(expect.stringMatching(/^d/));
    expect(await t.entries()).toMatchObject([
      {
        state: "dead",
        attempt: 3,
        failure: { code: "PROCESS_DIED", message: expect.stringContaining("3 of 3 times") },
      },
      { state: "following", record: { data: { key: "d", n: 2 } } },
    ]);
    for (const key of "abcefgh") expect((await t.app.documents(seen).get(key))?.by).toEqual([1, 2]);
  });

  it("an event that was charged lets the others go first: kills in quick succession meet different ones", async () => {
    const { dir, clock } = await crashed(2, () => true);
    const met: string[] = [];
    for (let died = 0; died < 6; died += 1) {
      const life = stepping(() => true);
      const t = await trial([life.made], { dir, clock });
      await t.clock.advance(1_000);
      expect(life.ran).toHaveLength(1);
      met.push(life.ran[0]?.slice(0, 2) ?? "");
      await die(t, dir);
    }
    expect(new Set(met).size).toBe(6);
    const life = stepping(() => false);
    const t = await trial([life.made], { dir, clock });
    await t.rest();
    expect(await t.entries()).toEqual([]);
    for (const key of "abcdefgh") expect((await t.app.documents(seen).get(key))?.by).toEqual([1, 2]);
  });

  it("an event that runs when the process stops in order is not charged", async () => {
    const hangs = (key: string) => key === "d";
    const { dir, clock } = await crashed(2, hangs);
    for (let time = 0; time < 3; time += 1) {
      const stopped = await trial([stepping(hangs).made], { dir, clock });
      await clock.advance(1_000);
      expect(await stopped.entries()).toMatchObject([{ state: "running", failure: { crashes: 1 } }]);
      await stopped.stop();
      for (let died = 0; died < 2; died += 1) {
        const t = await trial([stepping(hangs).made], { dir, clock });
        await clock.advance(1_000);
        await die(t, dir);
      }
    }
    const life = stepping(() => false);
    const t = await trial([life.made], { dir, clock });
    await t.rest();
    expect(life.ran[0]).toBe("d1/1");
  });

  it("a handler that takes long is not held against the others, nor is a later crash against it", async () => {
    const { dir, clock } = await crashed(2, (key) => key === "d");
    const t = await trial([stepping((key) => key === "d").made], { dir, clock });
    await t.clock.advance(31_000);
    for (const key of "abcefgh") expect((await t.app.documents(seen).get(key))?.by).toEqual([1, 2]);
    expect((await t.entries())[0]).toMatchObject({ state: "running", attempt: 0, failure: undefined });
  });

  it("other consumers of the process wait until it is over", async () => {
    const { dir, clock } = await crashed(2, () => true);
    const hung = gate();
    const order: string[] = [];
    const slow = service("stepping").on(steps.taken, async ({ data }) => {
      order.push("begins");
      await hung.opened;
      order.push(data.key);
    });
    const other = service("other").on(steps.taken, { from: "end" }, () => void order.push("other"));
    const t = await trial([slow, other], { dir, clock });
    await t.app.publish(steps.taken({ key: "z", n: 1 }));
    await t.clock.advance(1_000);
    expect(order).toEqual(["begins"]);
    hung.open();
    await t.rest();
    expect(order).toContain("other");
  });

  it("a command that kills fails its operation", async () => {
    const dir = tempFolder();
    const hanging = () => service("poked").handle(poke, { timeout: "10m" }, () => never);
    let t = await trial([hanging()], { dir });
    const { id } = await t.app.send(poke({ key: "a", n: 1 }));
    for (let died = 0; died < 5; died += 1) {
      await t.clock.advance(1_000);
      await die(t, dir);
      t = await trial([hanging()], { dir, clock: t.clock });
    }
    expect(await t.running.engine.inspect.operation(id)).toMatchObject({ state: "failed", detail: "PROCESS_DIED" });
  });

  it("a command that kills tells the saga that sent it", async () => {
    const dir = tempFolder();
    const asking = () =>
      saga("asking", { startsOn: steps.taken, key: "key", state: ({ data }) => data, from: "beginning" }).step("poke", {
        send: (s) => poke(s),
        done: echoes.heard,
      });
    let made = asking();
    const hanging = () => [
      service("asked").owns(steps, made),
      service("poked").handle(poke, { timeout: "10m", emits: [echoes.heard] }, () => never),
    ];
    let t = await trial(hanging(), { dir });
    await t.app.publish(steps.taken({ key: "a", n: 1 }));
    for (let died = 0; died < 5; died += 1) {
      await t.clock.advance(1_000);
      await die(t, dir);
      made = asking();
      t = await trial(hanging(), { dir, clock: t.clock });
    }
    await t.until(async () => (await t.app.saga(made).get("a"))?.status === "stuck");
    const instance = await t.app.saga(made).get("a");
    expect(instance?.steps[0]).toMatchObject({ status: "stuck", why: expect.stringContaining("PROCESS_DIED") });
  });
});

describe("an event that is to run alone, and whose lane is another process's", () => {
  const position = { id: 1, consumer: "stepping", topic: "steps", partition: 0 } as Position;
  const record = { topic: "steps", offset: 7, id: "seven", type: "step.taken" } as LogRecord;

  /** Announces one; says what was committed, and what the run did in the end. */
  function announced(homes: { readonly before: boolean; readonly after: boolean }) {
    const clock = virtualClock();
    const said: string[] = [];
    const owner = { settled: (_: Run, outcome: Outcome) => said.push(outcome.type) };
    const claim = { type: "record", position, start: 7, offset: 7 } as const;
    const run = new Run(owner, new Lane("key:a"), {} as Subscription, record, 0, claim, 1, 0);
    const alone = new Alone({
      ...{
        consumer: "stepping",
        store: {} as Store,
        clock,
        committer: new Committer({} as Store, clock, silentLogger),
      },
      entryOf: (_, change) => ({ ...change }) as NewEntry,
      mayMove: () => homes.before,
      left: () => homes.after,
      commit: (committed, { entry }) => {
        said.push(`${entry?.state}`);
        committed.settled({ type: "committed", commit: 1, entry: 1 });
      },
      stop: (error) => said.push(String(error)),
    });
    alone.announce(run, () => said.push("runs"));
    alone.close();
    return said;
  }

  it("goes there, to wait for its turn", () => {
    expect(announced({ before: false, after: false })).toEqual(["parked", "committed"]);
  });
  it("is left to that process when it took the lane over while the event was announced", () => {
    expect(announced({ before: true, after: false })).toEqual(["running"]);
  });
  it("runs here when it is this process's", () => {
    expect(announced({ before: true, after: true })).toEqual(["running", "runs"]);
  });
});
