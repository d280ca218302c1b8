import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { z } from "zod";
import { event } from "../contract/event.js";
import { topic } from "../contract/topic.js";
import { Failure } from "../failure/failure.js";
import { service } from "../service/declare.js";
import type { NewJob } from "../store/jobs.js";
import { endTrials, type Trial, tempFolder, trial } from "../testing/trial.js";

afterEach(endTrials);

const shape = z.object({ key: z.string(), n: z.int() });
const rolls = topic("rolls", { key: "key", events: { rolled: event("roll.rolled", shape) } });
const host = service("host").owns(rolls);
const act = { actor: "ann", reason: "mended", at: 1_000 };

/** What the till does not take; it forgets them when it is mended. */
let broken: (key: string, n: number) => boolean;
let handled: string[];
beforeEach(() => {
  broken = () => true;
  handled = [];
});
const once = { attemptsInPlace: 1, attemptsMax: 1 };
const till = service("till").on(rolls.rolled, { from: "beginning", retry: once }, ({ data: { key, n } }) => {
  if (broken(key, n)) throw new Failure("EVENT_REJECTED", "no such till");
  handled.push(`${key}.${n}`);
});

/** An app with a dead letter for each key. */
async function withDead(keys: number, dir?: string): Promise<Trial> {
  const t = await trial([host, till], dir === undefined ? {} : { dir });
  await t.app.publish(Array.from({ length: keys }, (_, n) => rolls.rolled({ key: `k${n}`, n: 1 })));
  await t.rest();
  expect(await t.entries()).toHaveLength(keys);
  return t;
}

let acts = 0;
/** Another act than the one before. */
const actNow = (t: Trial) => {
  acts += 1;
  return { ...act, at: t.clock.now() - (acts % 100) };
};

async function redrive(t: Trial, more: Partial<NewJob> = {}): Promise<number> {
  const entries = (await t.entries()).filter(({ state }) => state === "dead").map(({ entry }) => entry);
  const { operate } = t.running.engine;
  const { job } = await operate.createJob({ entries, selection: "all", force: false, ...more }, actNow(t));
  await t.running.changed({ jobs: true });
  return job;
}

async function change(t: Trial, job: number, type: "pause" | "resume" | "cancel"): Promise<number> {
  const { changed } = await t.running.engine.operate.changeJob(job, { type }, { ...act, at: t.clock.now() });
  await t.running.changed({ jobs: true });
  return changed;
}

const look = async (t: Trial, job: number) => {
  const found = await t.running.engine.inspect.job(job);
  if (found === undefined) throw new Error(`no job ${job}`);
  return found;
};
const reaches = (t: Trial, job: number, state: string) => t.until(async () => (await look(t, job)).state === state);

describe("a redrive as a job", () => {
  it("climbs the ladder, each step when the one before has ended, and every lane in order", async () => {
    const t = await withDead(40);
    await t.app.publish(Array.from({ length: 40 }, (_, n) => rolls.rolled({ key: `k${n}`, n: 2 })));
    await t.rest();
    broken = () => false;
    const job = await redrive(t);
    const seen = new Set<string>();
    await t.until(async () => {
      const { items, state } = await look(t, job);
      seen.add(`${items.redriven + items.succeeded}`);
      return state === "done";
    });
    await t.rest();
    expect([...seen].map(Number).filter((n) => ![0, 1, 6, 26, 40].includes(n))).toEqual([]);
    expect(seen).toContain("6");
    expect(await look(t, job)).toMatchObject({ steps: 4, items: { succeeded: 40, died: 0 }, selection: "all" });
    for (let n = 0; n < 40; n += 1)
      expect(handled.filter((one) => one.startsWith(`k${n}.`))).toEqual([`k${n}.1`, `k${n}.2`]);
    expect(await t.entries()).toEqual([]);
  });

  it("takes what was dead when it was made, and nothing that died since", async () => {
    const t = await withDead(2);
    broken = (_, n) => n === 9;
    const job = await redrive(t);
    await t.app.publish(rolls.rolled({ key: "late", n: 9 }));
    await reaches(t, job, "done");
    await t.rest();
    expect((await t.entries()).map(({ record }) => record.key)).toEqual(["late"]);
  });

  it("pauses when more than one in twenty of a step die again, and goes on when it is resumed", async () => {
    const t = await withDead(30);
    broken = (key) => key === "k3";
    const job = await redrive(t);
    await reaches(t, job, "paused");
    expect(await look(t, job)).toMatchObject({
      note: "1 of 5 in step 2 of the ladder died again",
      step: 3,
      items: { succeeded: 5, died: 1, pending: 24 },
    });
    const [died] = await t.running.engine.inspect.jobItems(job, { state: "died", limit: 10 });
    expect(died).toMatchObject({ lane: "key:k3", step: 2, detail: "EVENT_REJECTED: no such till" });
    expect(await change(t, job, "resume")).toBe(1);
    await reaches(t, job, "done");
    expect(await look(t, job)).toMatchObject({ items: { succeeded: 29, died: 1 } });
    expect(await t.entries()).toHaveLength(1);
  });

  it("is not faster than its rate", async () => {
    const t = await withDead(30);
    broken = () => false;
    const start = t.clock.now();
    const job = await redrive(t, { rate: 10 });
    await reaches(t, job, "done");
    expect(t.clock.now() - start).toBeGreaterThanOrEqual(2_800);
    expect(t.clock.now() - start).toBeLessThan(5_000);
  });

  it("starts nothing while it is paused, and nothing after it was cancelled", async () => {
    const t = await withDead(10);
    broken = () => false;
    const job = await redrive(t, { rate: 1 });
    await t.until(async () => (await look(t, job)).items.succeeded === 1);
    expect(await change(t, job, "pause")).toBe(1);
    expect(await change(t, job, "pause")).toBe(0);
    await t.clock.advance(60_000);
    expect((await look(t, job)).items).toMatchObject({ succeeded: 1, pending: 9 });
    expect(await change(t, job, "cancel")).toBe(1);
    expect(await change(t, job, "cancel")).toBe(0);
    await expect(change(t, job, "resume")).rejects.toMatchObject({ code: "CONFLICT" });
    expect((await look(t, job)).items).toMatchObject({ succeeded: 1, skipped: 9 });
    expect(await t.entries()).toHaveLength(9);
    await expect(change(t, 99, "pause")).rejects.toMatchObject({ code: "NOT_FOUND" });
  });

  it("writes nothing while it merely waits for its rate, or is paused", async () => {
    const t = await withDead(10);
    broken = () => false;
    const advanced = vi.spyOn(t.running.engine.operate, "advanceJobs");
    const job = await redrive(t, { rate: 0.1 });
    await t.until(async () => (await look(t, job)).items.succeeded === 1);
    await t.clock.advance(1_000);
    advanced.mockClear();
    await t.clock.advance(75_000);
    expect((await look(t, job)).items.succeeded).toBeGreaterThanOrEqual(7);
    // An item costs one that starts it and one that notes its outcome.
    expect(advanced.mock.calls.length).toBeLessThanOrEqual(30);
    await change(t, job, "pause");
    await t.clock.advance(1_000);
    advanced.mockClear();
    await t.clock.advance(60_000);
    expect(advanced).not.toHaveBeenCalled();
  });

  it("goes on after a restart", async () => {
    const t = await withDead(10, tempFolder());
    broken = () => false;
    const job = await redrive(t, { rate: 1 });
    await t.until(async () => (await look(t, job)).items.succeeded >= 2);
    const again = await t.again([host, till]);
    await reaches(again, job, "done");
    expect((await look(again, job)).items).toMatchObject({ succeeded: 10 });
    expect(handled).toHaveLength(10);
  });

  it("says of what others have dealt with that it is gone", async () => {
    const t = await withDead(3);
    broken = () => false;
    const job = await redrive(t, { rate: 1 });
    const left = await t.running.engine.inspect.jobItems(job, { limit: 10 });
    const { operate } = t.running.engine;
    const skipped = await operate.skip([left[1]?.entry as number], act);
    const redriven = await operate.redrive([left[2]?.entry as number], act);
    await t.running.lanesChanged([...skipped.lanes, ...redriven.lanes]);
    await reaches(t, job, "done");
    expect((await look(t, job)).items).toMatchObject({ succeeded: 1, gone: 2 });
  });

  it("leaves alone what three jobs have redriven in vain, unless it is forced", async () => {
    const t = await withDead(1);
    for (let n = 0; n < 3; n += 1) await reaches(t, await redrive(t), "done");
    const fourth = await redrive(t);
    await reaches(t, fourth, "done");
    expect(await t.running.engine.inspect.jobItems(fourth, { limit: 10 })).toMatchObject([
      { state: "skipped", detail: "3 jobs have redriven it in vain; mend it, skip it, or force it" },
    ]);
    const forced = await redrive(t, { force: true });
    await reaches(t, forced, "done");
    expect((await look(t, forced)).items).toMatchObject({ died: 1 });
  });

  it("leaves alone what another job has", async () => {
    const t = await withDead(2);
    const slow = await redrive(t, { rate: 0.001 });
    const beside = await redrive(t);
    await reaches(t, beside, "done");
    expect(await t.running.engine.inspect.jobItems(beside, { limit: 10 })).toMatchObject([
      { state: "skipped", detail: `job ${slow} has it` },
    ]);
  });

  it("is made once, also when it is sent again", async () => {
    const t = await withDead(2);
    const entries = (await t.entries()).map(({ entry }) => entry);
    const make = async () =>
      await t.running.engine.operate.createJob({ entries, selection: "all", force: false, rate: 0.001 }, act);
    expect(await make()).toEqual({ job: 1, changed: 2, lanes: [] });
    expect(await make()).toEqual({ job: 1, changed: 0, lanes: [] });
  });

  it("is in the audit record", async () => {
    const t = await withDead(2);
    const job = await redrive(t, { rate: 0.001 });
    await change(t, job, "cancel");
    const acts = await t.running.engine.inspect.audit(10);
    expect(acts).toMatchObject([
      { act: "job cancel", target: `job ${job}`, actor: "ann", reason: "mended" },
      { act: "redrive", target: `job ${job}: 2 dead letters in 2 lanes, all` },
    ]);
  });
});
