import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { documents } from "../contract/documents.js";
import { event } from "../contract/event.js";
import { topic } from "../contract/topic.js";
import { service } from "../service/declare.js";
import type { Seek } from "../store/seek.js";
import { endTrials, gate, type Trial, trial } from "../testing/trial.js";

afterEach(endTrials);

const shape = z.object({ key: z.string(), n: z.int() });
const rolls = topic("rolls", { key: "key", partitions: 2, events: { rolled: event("roll.rolled", shape) } });
const sums = topic("sums", { key: "key", events: { summed: event("sum.summed", shape) } });
const totals = documents("totals", z.object({ id: z.string(), total: z.int() }), { id: "id" });
const host = service("host").owns(rolls);
const act = { actor: "ann", reason: "a wrong sum", at: 1_000 };

let failing: (n: number) => boolean;
let handled: string[];
let keys: Set<string>;
beforeEach(() => {
  failing = () => false;
  handled = [];
  keys = new Set();
});
const once = { attemptsInPlace: 1, attemptsMax: 1 };
const till = service("till").on(
  rolls.rolled,
  { from: "beginning", retry: once, emits: [sums.summed] },
  async ({ data: { key, n } }, ctx) => {
    const before = await ctx.documents(totals).get(key);
    if (failing(n)) throw new Error("no such roll");
    handled.push(`${key}${n}`);
    keys.add(ctx.idempotencyKey);
    const total = (before?.total ?? 0) + n;
    ctx.documents(totals).put({ id: key, total });
    ctx.publish(sums.summed({ key, n: total }));
  },
);

async function begin(): Promise<Trial> {
  const t = await trial([host, till]);
  await t.app.publish([1, 2, 3].flatMap((n) => ["a", "b", "c"].map((key) => rolls.rolled({ key, n }))));
  return t;
}

const asked = (more: Partial<Seek> = {}): Seek => ({
  consumer: "till",
  to: { type: "beginning" },
  mute: false,
  ...more,
});

let acts = 0;
async function seek(t: Trial, more: Partial<Seek> = {}): Promise<void> {
  acts += 1;
  const { lanes } = await t.running.engine.operate.seek(asked(more), { ...act, at: acts });
  await t.running.changed({ lanes, amended: true, leases: true });
}

const published = async (t: Trial) =>
  (await t.running.engine.inspect.events({ type: "sum.summed", limit: 1_000 })).events;
const total = async (t: Trial, key: string) => (await t.app.documents(totals).get(key))?.total;
const steps = async (t: Trial, more: Partial<Seek> = {}) => await t.running.engine.inspect.seekSteps(asked(more));

it("back to the beginning handles all again, in order, under new ids and the same idempotency keys", async () => {
  const t = await begin();
  await t.rest();
  const before = await published(t);
  expect((await steps(t)).map(({ again, skipped }) => again + skipped).reduce((a, b) => a + b)).toBe(9);
  handled = [];
  await seek(t);
  await t.rest();
  expect(handled).toHaveLength(9);
  for (const key of ["a", "b", "c"])
    expect(handled.filter((one) => one.startsWith(key))).toEqual([`${key}1`, `${key}2`, `${key}3`]);
  const after = await published(t);
  expect(after).toHaveLength(18);
  expect(new Set(after.map(({ id }) => id)).size).toBe(18);
  expect(after.slice(0, 9)).toEqual(before);
  expect(keys.size).toBe(9);
  const [view] = await t.running.engine.inspect.consumers(t.clock.now());
  expect(view?.positions.map(({ generation }) => generation)).toEqual([2, 2]);
  const [done] = await t.running.engine.inspect.audit(1);
  const again = { ...act, at: acts };
  expect(await t.running.engine.operate.seek(asked(), again)).toEqual({ changed: 0, lanes: [] });
  expect(done).toMatchObject({
    act: "seek",
    target: expect.stringMatching(/^consumer till to beginning: rolls\/0 9 to 0, rolls\/1/),
  });
});

it("of one partition and then another, in one millisecond for one reason, is two moves; the same one twice is one", async () => {
  const t = await begin();
  await t.rest();
  const { operate } = t.running.engine;
  const move = async (more: Partial<Seek>) => (await operate.seek(asked(more), { ...act, at: 77 })).changed;
  expect(await move({ topic: "rolls", partition: 0 })).toBe(1);
  expect(await move({ topic: "rolls", partition: 1 })).toBe(1);
  expect(await move({ topic: "rolls", partition: 1 })).toBe(0);
  expect(await move({ topic: "rolls", partition: 1, to: { type: "offset", offset: 1 } })).toBe(1);
  expect(await move({ to: { type: "end" } })).toBe(2);
});

it.each(["at once", "when it is fenced"])("fences what is under way, also where that is heard of %s", async (when) => {
  const held = gate();
  let runs = 0;
  const slow = service("till").on(rolls.rolled, { from: "beginning", emits: [sums.summed] }, async ({ data }, ctx) => {
    runs += 1;
    if (runs === 2) await held.opened;
    ctx.publish(sums.summed(data));
  });
  const t = await trial([host, slow]);
  await t.app.publish([rolls.rolled({ key: "a", n: 1 }), rolls.rolled({ key: "a", n: 2 })]);
  await t.until(() => runs === 2);
  if (when === "at once") await seek(t);
  else await t.running.engine.operate.seek(asked(), act);
  held.open();
  await t.rest();
  // The first one in both generations, the second one once.
  expect((await published(t)).map(({ data }) => (data as { n: number }).n)).toEqual([1, 1, 2]);
});

it("muted changes documents, and publishes nothing of what was done; what is new is heard again", async () => {
  const t = await begin();
  await t.rest();
  await seek(t, { mute: true });
  await t.rest();
  expect(handled).toHaveLength(18);
  expect(await total(t, "a")).toBe(12);
  expect(await published(t)).toHaveLength(9);
  await t.app.publish(rolls.rolled({ key: "a", n: 4 }));
  await t.rest();
  expect((await published(t)).at(-1)).toMatchObject({ data: { key: "a", n: 16 } });
  await seek(t);
  await t.rest();
  expect(await published(t)).toHaveLength(20);
});

it("back drops what waits in lanes from there on, and reads it again; edits and skips stay", async () => {
  failing = (n) => n === 2;
  const t = await begin();
  await t.rest();
  const dead = (await t.entries()).filter(({ state }) => state === "dead");
  expect(dead).toHaveLength(3);
  const [one, two] = dead as [(typeof dead)[0], (typeof dead)[0]];
  const { operate } = t.running.engine;
  const { lanes } = await operate.skip([one.entry], act);
  const data = JSON.stringify({ key: two.record.key, n: 20 });
  await operate.edit({ entry: two.entry, id: "edited", data, version: 1 }, act);
  await t.running.lanesChanged(lanes);
  await t.rest();
  expect((await steps(t)).map(({ waiting }) => waiting).reduce((a, b) => a + b)).toBe(4);
  await expect(operate.seek(asked({ mute: true }), act)).rejects.toMatchObject({ code: "CONFLICT" });
  handled = [];
  await seek(t);
  await t.rest();
  expect(handled.filter((each) => each.startsWith(one.record.key))).toEqual([
    `${one.record.key}1`,
    `${one.record.key}3`,
  ]);
  expect(handled.filter((each) => each.startsWith(two.record.key))).toEqual(
    [1, 20, 3].map((n) => `${two.record.key}${n}`),
  );
  expect((await t.entries()).map(({ state }) => state)).toEqual(["dead", "following"]);
});

it("forward skips events, in one partition when it is named, and opens no generation", async () => {
  failing = (n) => n === 1;
  const t = await begin();
  await t.rest();
  const before = await t.entries();
  await t.running.engine.operate.pause("till", act);
  await t.running.changed({ pauses: true });
  await t.app.publish(["a", "b", "c", "d", "e"].map((key) => rolls.rolled({ key, n: 9 })));
  const [zero, one] = await steps(t, { to: { type: "end" } });
  expect((zero?.skipped ?? 0) + (one?.skipped ?? 0)).toBe(5);
  await seek(t, { to: { type: "end" }, partition: 0 });
  handled = [];
  await t.running.engine.operate.resume("till", act);
  await t.running.changed({ pauses: true });
  await t.rest();
  const heard = handled.length + (await t.entries()).length - before.length;
  expect(heard).toBe(one?.skipped);
  const [view] = await t.running.engine.inspect.consumers(t.clock.now());
  expect(view?.positions.map(({ generation }) => generation)).toEqual([1, 1]);
});

it("goes to a time or an offset, and is refused where there is none", async () => {
  const t = await begin();
  await t.rest();
  await t.clock.advance(60_000);
  await t.app.publish(rolls.rolled({ key: "a", n: 4 }));
  await t.rest();
  handled = [];
  await seek(t, { to: { type: "time", at: t.clock.now() - 1_000 } });
  await t.rest();
  expect(handled).toEqual(["a4"]);
  await seek(t, { to: { type: "offset", offset: 6 } });
  await t.rest();
  expect(handled.toSorted()).toEqual(["a3", "a4", "a4", "b3", "c3"]);
  const { operate } = t.running.engine;
  for (const more of [{ to: { type: "offset", offset: 99 } }, { topic: "sums" }, { partition: 7 }] as const)
    await expect(operate.seek(asked(more), act)).rejects.toMatchObject({ code: "OPTION_INVALID" });
  await expect(operate.seek(asked({ consumer: "tlil" }), act)).rejects.toMatchObject({ code: "NOT_FOUND" });
});

describe("timers that the range has armed", () => {
  const timed = service("timed").on(
    rolls.rolled,
    { from: "beginning", emits: [sums.summed] },
    ({ data: { key, n } }, ctx) => {
      handled.push(`${key}${n}`);
      ctx.after("1h", sums.summed({ key, n }));
      ctx.after("2h", sums.summed({ key, n: 10 * n }), { name: key });
    },
  );
  const ofTimed = (more: Partial<Seek> = {}): Seek => asked({ consumer: "timed", ...more });
  const sent = async (t: Trial) => (await published(t)).map(({ key, data }) => `${key}${(data as { n: number }).n}`);

  async function armed(): Promise<Trial> {
    const t = await trial([host, timed]);
    await t.app.publish([rolls.rolled({ key: "a", n: 1 }), rolls.rolled({ key: "b", n: 2 })]);
    await t.rest();
    await t.clock.advance(30 * 60_000);
    return t;
  }

  it("are taken back and armed anew, and what they would have sent is kept with a job", async () => {
    const t = await armed();
    const before = await t.running.engine.inspect.seekSteps(ofTimed());
    expect(before.reduce((sum, { timers }) => sum + timers, 0)).toBe(4);
    const { changed, job = 0 } = await t.running.engine.operate.seek(ofTimed(), act);
    expect(changed).toBe(2);
    await t.running.changed({ amended: true, leases: true, timers: true });
    await t.rest();
    await t.clock.advance(89 * 60_000);
    // Those of the first pass were due by now, one of each key.
    expect((await sent(t)).toSorted()).toEqual(["a1", "b2"]);
    await t.clock.advance(60 * 60_000);
    expect((await sent(t)).toSorted()).toEqual(["a1", "a10", "b2", "b20"]);
    expect(await t.running.engine.inspect.job(job)).toMatchObject({ kind: "seek", state: "done", exported: 4 });
    const kept = await t.running.engine.inspect.jobExports(job, { after: 0, limit: 10 });
    expect(kept.map((one) => (one.kind === "timer" ? [one.timer.armed?.offset, one.timer.name] : one.kind))).toEqual(
      expect.arrayContaining([
        [0, undefined],
        [0, "a"],
        [1, undefined],
        [1, "b"],
      ]),
    );
    const again = await t.running.engine.operate.seek(ofTimed(), act);
    expect(again).toMatchObject({ changed: 0, job });
  });

  it("stay where the move begins behind what has armed them, and when it is muted", async () => {
    const t = await armed();
    const { operate } = t.running.engine;
    const late = await operate.seek(ofTimed({ to: { type: "offset", offset: 1 } }), act);
    await t.running.changed({ amended: true, leases: true, timers: true });
    await t.rest();
    const kept = await t.running.engine.inspect.jobExports(late.job ?? 0, { after: 0, limit: 10 });
    expect(kept.map((one) => (one.kind === "timer" ? one.timer.record.key : one.kind))).toEqual(["b", "b"]);
    expect(await operate.seek(ofTimed({ mute: true }), { ...act, at: 2_000 })).not.toHaveProperty("job");
    await t.running.changed({ amended: true, leases: true, timers: true });
    await t.clock.advance(3 * 3_600_000);
    expect((await sent(t)).toSorted()).toEqual(["a1", "a10", "b2", "b20"]);
  });
});

it("back keeps what waited in lanes with a job, as it was", async () => {
  failing = (n) => n === 2;
  const t = await begin();
  await t.rest();
  const waiting = await t.entries();
  const { job = 0, lanes } = await t.running.engine.operate.seek(asked(), act);
  await t.running.changed({ lanes, amended: true, leases: true });
  const kept = await t.running.engine.inspect.jobExports(job, { after: 0, limit: 100 });
  const byEntry = (a: { entry: number }, b: { entry: number }) => a.entry - b.entry;
  expect(kept.flatMap((one) => (one.kind === "entry" ? [one.entry] : [])).toSorted(byEntry)).toEqual(waiting);
  expect(await t.running.engine.inspect.jobExports(job, { after: kept.length - 1, limit: 100 })).toEqual([kept.at(-1)]);
});
