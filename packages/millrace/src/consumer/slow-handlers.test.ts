import { afterEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { documents } from "../contract/documents.js";
import { event } from "../contract/event.js";
import { topic } from "../contract/topic.js";
import { service } from "../service/declare.js";
import { endTrials, type Gate, gate, type Trial, tempFolder, trial } from "../testing/trial.js";
import { virtualClock } from "../testing/virtual-clock.js";

afterEach(endTrials);

const Job = z.object({ key: z.string(), n: z.int() });
const jobs = topic("jobs", { key: "key", partitions: 1, events: { given: event("job.given", Job) } });
const results = topic("results", { key: "key", events: { made: event("result.made", Job) } });
const done = documents("done", z.object({ id: z.string(), by: z.array(z.int()) }), { id: "id" });

interface Run {
  readonly key: string;
  readonly n: number;
  readonly attempt: number;
  readonly signal: AbortSignal;
  readonly at: number;
  readonly gate: Gate;
}
/** Jobs of keys that begin with "slow" wait for their gate. */
async function working(options: object = {}, dir?: string) {
  const runs: Run[] = [];
  const clock = virtualClock();
  const make = () =>
    service("worker").on(jobs.given, { emits: [results.made], ...options }, async ({ data }, ctx) => {
      const run = { ...data, attempt: ctx.attempt, signal: ctx.signal, at: clock.monotonic(), gate: gate() };
      runs.push(run);
      const before = (await ctx.documents(done).get(data.key)) ?? { id: data.key, by: [] };
      if (data.key.startsWith("slow")) await run.gate.opened;
      ctx.documents(done).put({ ...before, by: [...before.by, data.n] });
      ctx.publish(results.made(data));
    });
  const t = await trial([make()], dir === undefined ? { clock } : { clock, dir });
  const give = (key: string, n = 0) => t.app.publish(jobs.given({ key, n }));
  return { t, runs, give, make };
}
const by = async (t: Trial, key: string) => (await t.app.documents(done).get(key))?.by;
const made = async (t: Trial) => (await t.running.engine.inspect.events({ type: "result.made", limit: 99 })).events;
const frontier = async (t: Trial) => (await t.running.engine.inspect.consumers(0))[0]?.positions[0]?.frontier;

describe("a handler that takes longer than its timeout", () => {
  it("is aborted with HANDLER_TIMEOUT, counted as failed, and what it does later changes nothing", async () => {
    const { t, runs, give } = await working({ timeout: "5s", retry: { attemptsMax: 1 } });
    await give("slow");
    await t.until(async () => (await t.entries()).length === 1);
    const [run] = runs as [Run];
    expect(t.clock.monotonic() - run.at).toBeGreaterThanOrEqual(5_000);
    expect(run.signal.aborted).toBe(true);
    expect(run.signal.reason).toMatchObject({ code: "HANDLER_TIMEOUT" });
    expect(await t.entries()).toMatchObject([
      {
        state: "dead",
        failure: { code: "HANDLER_TIMEOUT", message: expect.stringMatching(/worker.*job\.given.*5000/) },
      },
    ]);
    run.gate.open();
    await t.rest();
    expect([await by(t, "slow"), await made(t)]).toEqual([undefined, []]);
  });

  it("is run again, and only the run that was not given up counts", async () => {
    const { t, runs, give } = await working({ timeout: "5s" });
    await give("slow");
    await t.until(() => runs.length === 2);
    runs[0]?.gate.open();
    await t.clock.advance(100);
    expect(await made(t)).toEqual([]);
    runs[1]?.gate.open();
    await t.rest();
    expect(runs.map((run) => run.attempt)).toEqual([1, 2]);
    expect([await by(t, "slow"), (await made(t)).length]).toEqual([[0], 1]);
  });

  it("leaves its place to the next, although it never ends", async () => {
    const { t, runs, give } = await working({ timeout: "5s", concurrency: 1, retry: { attemptsMax: 1 } });
    await give("slow");
    await give("fast");
    await t.rest();
    expect([runs.length, await by(t, "fast")]).toEqual([2, [0]]);
  });
});

describe("a handler that takes longer than half a minute, as its timeout lets it", () => {
  it("moves its event to a lane entry, so that the frontier goes on, and its late end commits once", async () => {
    const { t, runs, give } = await working({ timeout: "5m" });
    await give("slow", 1);
    for (const n of [2, 3, 4]) await give("fast", n);
    await give("slow", 5);
    await t.until(async () => (await by(t, "fast"))?.length === 3);
    expect(await frontier(t)).toBe(0);
    await t.until(async () => (await t.entries()).length > 0);
    expect(t.clock.monotonic() - (runs[0] as Run).at).toBeGreaterThanOrEqual(30_000);
    await t.until(async () => (await frontier(t)) === 5);
    expect((await t.entries()).map((entry) => [entry.state, (entry.record.data as { n: number }).n])).toEqual([
      ["running", 1],
      ["following", 5],
    ]);
    await t.until(() => t.clock.monotonic() >= 200_000);
    expect((runs[0] as Run).signal.aborted).toBe(false);
    runs[0]?.gate.open();
    await t.until(() => runs.at(-1)?.n === 5);
    runs.at(-1)?.gate.open();
    await t.rest();
    expect(runs.map(({ key, n, attempt }) => [key, n, attempt])).toEqual([
      ["slow", 1, 1],
      ["fast", 2, 1],
      ["fast", 3, 1],
      ["fast", 4, 1],
      ["slow", 5, 1],
    ]);
    expect([await by(t, "slow"), await t.entries()]).toEqual([[1, 5], []]);
    expect((await made(t)).filter((record) => record.key === "slow")).toHaveLength(2);
  });

  it("times out from its entry, and its next attempt runs from there", async () => {
    const { t, runs, give } = await working({ timeout: "1m", retry: { attemptsMax: 2 } });
    await give("slow", 1);
    await t.until(() => runs.length === 2);
    expect(runs[0]?.signal.reason).toMatchObject({ code: "HANDLER_TIMEOUT" });
    expect(runs[1]?.attempt).toBe(2);
    runs[0]?.gate.open();
    runs[1]?.gate.open();
    await t.rest();
    expect([await by(t, "slow"), (await made(t)).length, await t.entries()]).toEqual([[1], 1, []]);
  });

  it("is reloaded when what it read has changed meanwhile", async () => {
    const { t, runs, give } = await working({ timeout: "5m" });
    await give("slow", 1);
    await t.until(async () => (await t.entries()).length === 1);
    // Another lane of the same consumer writes the document that the slow one has read.
    const [entry] = await t.entries();
    expect(entry).toMatchObject({ state: "running", lane: "key:slow" });
    await meddle(t, "slow");
    runs[0]?.gate.open();
    await t.until(() => runs.length === 2);
    runs[1]?.gate.open();
    await t.rest();
    expect(runs.map((run) => run.attempt)).toEqual([1, 1]);
    expect([await by(t, "slow"), (await made(t)).length]).toEqual([[99, 1], 1]);
  });

  it("begins again after a restart in its midst, at the head of its lane, and is not charged for it", async () => {
    const { t, runs, give, make } = await working({ timeout: "5m", retry: { attemptsMax: 2 } }, tempFolder());
    await give("slow", 1);
    await give("slow", 2);
    await t.until(async () => (await t.entries()).length === 2);
    const again = await t.again([make()]);
    expect(runs[0]?.signal.aborted).toBe(true);
    await again.until(() => runs.length === 2);
    expect(runs[1]).toMatchObject({ n: 1, attempt: 1 });
    runs[1]?.gate.open();
    await again.until(() => runs.length === 3);
    runs[2]?.gate.open();
    await again.rest();
    expect([await by(again, "slow"), (await made(again)).length, await again.entries()]).toEqual([[1, 2], 2, []]);
  });
});

/** Writes a document as a unit of another handler would. */
async function meddle(t: Trial, id: string): Promise<void> {
  const { store } = t.running.engine;
  const shape = { service: "worker", type: "done", indexes: [], unique: [], schema: 1, indexOf: () => [] };
  await store.ensureDocumentType(shape);
  const outcomes = await store.commit(
    [
      {
        claim: { type: "publish" },
        reads: [],
        effects: {
          documents: [
            { service: "worker", type: "done", id, schema: 1, text: JSON.stringify({ id, by: [99] }), indexed: [] },
          ],
        },
        lane: undefined,
      },
    ],
    [],
  );
  expect(outcomes).toMatchObject([{ type: "committed" }]);
}

describe("concurrency", () => {
  it("bounds the runs of a handler at one time, and every event gets its turn", async () => {
    let running = 0;
    let most = 0;
    const t = await trial([
      service("bounded").on(jobs.given, { concurrency: 3 }, async () => {
        running += 1;
        most = Math.max(most, running);
        for (let turn = 0; turn < 3; turn += 1) await new Promise<void>((resolve) => setImmediate(resolve));
        running -= 1;
      }),
    ]);
    await t.app.publish(Array.from({ length: 100 }, (_, n) => jobs.given({ key: `k${n}`, n })));
    await t.rest();
    expect([most, running, t.status("bounded").inFlight]).toEqual([3, 0, 0]);
    expect((await t.running.engine.inspect.consumers(0))[0]?.lagRecords).toBe(0);
  });

  it("of one handler leaves the others of its consumer their own", async () => {
    const closed = gate();
    const handled: number[] = [];
    const t = await trial([
      service("bounded")
        .on(jobs.given, { concurrency: 1 }, () => closed.opened)
        .on(results.made, { from: "beginning" }, ({ data }) => void handled.push(data.n)),
      service("maker").owns(results),
    ]);
    await t.app.publish([1, 2].map((n) => jobs.given({ key: `k${n}`, n })));
    await t.app.publish([1, 2].map((n) => results.made({ key: `r${n}`, n: n + 2 })));
    await t.until(() => handled.length === 2);
    closed.open();
    await t.rest();
    expect(handled.sort()).toEqual([3, 4]);
  });
});
