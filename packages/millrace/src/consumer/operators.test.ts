import { afterEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { documents } from "../contract/documents.js";
import { event } from "../contract/event.js";
import { topic } from "../contract/topic.js";
import { service } from "../service/declare.js";
import type { ActOutcome } from "../store/operate.js";
import type { Unit } from "../store/unit.js";
import { endTrials, gate, otherProgram, type Trial, tempFolder, trial } from "../testing/trial.js";

afterEach(endTrials);

const Step = z.object({ key: z.string(), n: z.int() });
const steps = topic("steps", { key: "key", partitions: 2, events: { taken: event("step.taken", Step) } });
const applied = documents("applied", z.object({ key: z.string(), seen: z.array(z.int()) }), { id: "key" });

interface Seen {
  readonly n: number;
  readonly attempt: number;
  readonly id: string;
  readonly causationId: string | undefined;
}
/** A consumer for which some steps fail as long as they are in `broken`. */
function applying(options: object = {}) {
  const broken = new Set<number>();
  const seen: Seen[] = [];
  const waits = new Map<number, Promise<void>>();
  const make = () =>
    service("applying").on(steps.taken, { retry: { attemptsMax: 1 }, ...options }, async (taken, ctx) => {
      const { key, n } = taken.data;
      const before = (await ctx.documents(applied).get(key)) ?? { key, seen: [] };
      seen.push({ n, attempt: ctx.attempt, id: taken.id, causationId: taken.causationId });
      await waits.get(n);
      if (broken.has(n)) throw new Error("broken");
      ctx.documents(applied).put({ key, seen: [...before.seen, n] });
    });
  return { broken, seen, waits, make };
}
const take = (key: string, n: number) => steps.taken({ key, n });
const result = async (t: Trial, key = "a") => (await t.app.documents(applied).get(key))?.seen;
const states = async (t: Trial) =>
  (await t.entries()).map((entry) => [(entry.record.data as { n: number }).n, entry.state]);

function acting(t: Trial) {
  const act = () => ({ actor: "ann", reason: "because", at: t.clock.now() });
  const told = async (outcome: ActOutcome | Promise<ActOutcome>) => {
    const { lanes, changed } = await outcome;
    await t.running.lanesChanged(lanes);
    return changed;
  };
  const { operate } = t.running.engine;
  return {
    skip: async (entry: number) => told(await operate.skip([entry], act())),
    edit: async (entry: number, id: string, data: object) =>
      told(await operate.edit({ entry, id, data: JSON.stringify(data), version: 1 }, act())),
    redrive: async (...entries: number[]) => told(await operate.redrive(entries, act())),
  };
}
const letters = async (t: Trial) =>
  (await t.entries()).filter((entry) => entry.state === "dead").map((entry) => entry.entry);

async function withDeadHead(options: object = {}, dir?: string) {
  const consumer = applying(options);
  consumer.broken.add(0);
  const t = await trial([consumer.make()], dir === undefined ? {} : { dir });
  await t.app.publish([0, 1, 2].map((n) => take("a", n)));
  await t.rest();
  const [letter] = (await letters(t)) as [number];
  return { ...consumer, t, letter };
}

describe("skipping a dead letter", () => {
  it("lets its followers run, in order, without it", async () => {
    const { t, letter, seen } = await withDeadHead();
    expect(await acting(t).skip(letter)).toBe(1);
    await t.rest();
    expect([await result(t), await t.entries()]).toEqual([[1, 2], []]);
    expect(seen.map((run) => run.n)).toEqual([0, 1, 2]);
  });

  it("is remembered: a consumer that reads the event again passes it by", async () => {
    const dir = tempFolder();
    const { t, letter, broken, make, seen } = await withDeadHead({ from: "beginning" }, dir);
    await acting(t).skip(letter);
    await t.rest();
    await t.stop();
    forgetPositions(dir);
    broken.clear();
    seen.length = 0;
    const again = await trial([make()], { dir, clock: t.clock });
    await again.rest();
    expect(seen.map((run) => run.n)).toEqual([1, 2]);
    expect((await again.running.engine.inspect.consumers(0))[0]?.lagRecords).toBe(0);
  });
});

/** As a rebuild will do: the consumer walks the log again, its amendments stay. */
function forgetPositions(dir: string): void {
  otherProgram(dir, (database) => database.exec("DELETE FROM mr_consumers; DELETE FROM mr_positions"));
}

describe("editing a dead letter", () => {
  it("gives it other data and an id of its own, caused by the original, once it is redriven", async () => {
    const { t, letter, seen } = await withDeadHead();
    const original = seen[0]?.id;
    await acting(t).edit(letter, "mended", { key: "a", n: 7 });
    await t.rest();
    expect(await states(t)).toEqual([
      [7, "dead"],
      [1, "following"],
      [2, "following"],
    ]);
    await acting(t).redrive(letter);
    await t.rest();
    expect(await result(t)).toEqual([7, 1, 2]);
    expect(seen[1]).toEqual({ n: 7, attempt: 1, id: "mended", causationId: original });
  });

  it("that does not fit its contract makes it a dead letter again", async () => {
    const { t, letter } = await withDeadHead();
    await acting(t).edit(letter, "mended", { key: "a", n: "seven" });
    await acting(t).redrive(letter);
    await t.rest();
    expect(await t.entries()).toMatchObject([
      { state: "dead", redrives: 1, failure: { code: "CONTRACT_REJECTED" } },
      { state: "following" },
      { state: "following" },
    ]);
  });

  it("is remembered over a restart, and applied by a consumer that reads the event again", async () => {
    const dir = tempFolder();
    const { t, letter, make, seen } = await withDeadHead({ from: "beginning" }, dir);
    const original = seen[0]?.id;
    await acting(t).edit(letter, "mended", { key: "a", n: 7 });
    await acting(t).redrive(letter);
    await t.rest();
    await t.stop();
    forgetPositions(dir);
    seen.length = 0;
    const again = await trial([make()], { dir, clock: t.clock });
    await again.rest();
    expect(seen[0]).toEqual({ n: 7, attempt: 1, id: "mended", causationId: original });
    expect(seen.map((run) => run.n)).toEqual([7, 1, 2]);
  });

  it("leaves the event in the log, and other consumers, as they are", async () => {
    const { t, letter } = await withDeadHead();
    await acting(t).edit(letter, "mended", { key: "a", n: 7 });
    const { events } = await t.running.engine.inspect.events({ limit: 9 });
    expect(events.map((stored) => (stored.data as { n: number }).n)).toEqual([0, 1, 2]);
  });
});

describe("redriving dead letters", () => {
  it("runs each lane from its head on, in order, with a fresh count of attempts", async () => {
    const { t, letter, broken, seen } = await withDeadHead({ retry: { attemptsInPlace: 1, attemptsMax: 2 } });
    broken.clear();
    await acting(t).redrive(letter);
    await t.rest();
    expect([await result(t), await t.entries()]).toEqual([[0, 1, 2], []]);
    expect(seen.map((run) => [run.n, run.attempt])).toEqual([
      [0, 1],
      [0, 2],
      [0, 1],
      [1, 1],
      [2, 1],
    ]);
  });

  it("that fail again are dead again, count their redrives, and hold their followers as before", async () => {
    const { t, letter } = await withDeadHead();
    await acting(t).redrive(letter);
    await t.rest();
    expect(await t.entries()).toMatchObject([
      { entry: letter, state: "dead", redrives: 1, attempt: 1 },
      { state: "following" },
      { state: "following" },
    ]);
  });

  it("of many keys runs them all; events that arrive meanwhile stand behind", async () => {
    const { broken, make, waits } = applying();
    const closed = gate();
    for (const n of [0, 10, 20]) broken.add(n);
    const t = await trial([make()]);
    await t.app.publish(["a", "b", "c"].flatMap((key, index) => [0, 1].map((n) => take(key, index * 10 + n))));
    await t.rest();
    broken.clear();
    for (const n of [0, 10, 20]) waits.set(n, closed.opened);
    expect(await acting(t).redrive(...(await letters(t)))).toBe(3);
    await t.app.publish(["a", "b", "c"].map((key, index) => take(key, index * 10 + 2)));
    await t.until(() => t.status("applying").queued === 3);
    closed.open();
    await t.rest();
    expect([await result(t, "a"), await result(t, "b"), await result(t, "c")]).toEqual([
      [0, 1, 2],
      [10, 11, 12],
      [20, 21, 22],
    ]);
  });

  it("goes on after a restart in its midst", async () => {
    const { t, letter, broken, make, waits } = await withDeadHead({}, tempFolder());
    broken.clear();
    waits.set(0, gate().opened);
    await acting(t).redrive(letter);
    await t.until(() => t.status("applying").inFlight === 1);
    waits.clear();
    const again = await t.again([make()]);
    await again.rest();
    expect([await result(again), await again.entries()]).toEqual([[0, 1, 2], []]);
  });
});

describe("redriving a dead letter that had let others pass", () => {
  const passing = async (options: object = {}) => {
    const consumer = applying({ onPoison: "skip", ...options });
    consumer.broken.add(0);
    const t = await trial([consumer.make()]);
    await t.app.publish([0, 1].map((n) => take("a", n)));
    await t.rest();
    consumer.broken.clear();
    return { ...consumer, t };
  };

  it("holds its key while it runs, and every event is applied once", async () => {
    const { t, waits } = await passing();
    const closed = gate();
    waits.set(0, closed.opened);
    await acting(t).redrive(...(await letters(t)));
    await t.until(() => t.status("applying").inFlight === 1);
    await t.app.publish([2, 3].map((n) => take("a", n)));
    await t.until(() => t.status("applying").queued === 2);
    closed.open();
    await t.rest();
    expect([await result(t), await t.entries()]).toEqual([[1, 0, 2, 3], []]);
  });

  it("while an event of its key is being handled lets that one join behind it, although its reads are stale then", async () => {
    const { t, waits } = await passing();
    const closed = gate();
    waits.set(2, closed.opened);
    await t.app.publish([2, 3].map((n) => take("a", n)));
    await t.until(() => t.status("applying").inFlight === 1);
    await acting(t).redrive(...(await letters(t)));
    // Another unit writes the document that the event under way has read.
    const text = JSON.stringify({ key: "a", seen: [1, 99] });
    const write = { service: "applying", type: "applied", id: "a", schema: 1, text, indexed: [] };
    const unit = { claim: { type: "publish" }, reads: [], effects: { documents: [write] }, lane: undefined } as const;
    await t.running.engine.store.commit([unit as unknown as Unit], []);
    closed.open();
    await t.rest();
    expect([await result(t), await t.entries()]).toEqual([[1, 99, 0, 2, 3], []]);
  });

  it("while an event of its key is so slow that it moves to an entry loses and doubles nothing", async () => {
    const { t, waits, seen } = await passing({ timeout: "5m" });
    const closed = gate();
    waits.set(2, closed.opened);
    await t.app.publish([2, 3].map((n) => take("a", n)));
    await t.until(() => seen.at(-1)?.n === 2);
    await acting(t).redrive(...(await letters(t)));
    await t.clock.advance(40_000);
    closed.open();
    await t.rest();
    expect([await result(t), await t.entries()]).toEqual([[1, 0, 2, 3], []]);
    expect((await t.running.engine.inspect.consumers(0))[0]?.lagRecords).toBe(0);
  });
});

it("an event whose handler the program has no more waits, is named in the log, and can be skipped or taken up again", async () => {
  const dir = tempFolder();
  const { t, letter, broken, make } = await withDeadHead({ from: "beginning" }, dir);
  await acting(t).redrive(letter);
  const parked = applying({ from: "beginning", retry: { attemptsInPlace: 1, backoffFirst: "1h", backoffMax: "1h" } });
  parked.broken.add(0);
  const other = topic("others", { key: "key", events: { seen: event("other.seen", Step) } });
  const without = service("applying").on(other.seen, () => {});
  await t.rest();
  const waiting = await t.again([parked.make()]);
  await acting(waiting).redrive(letter);
  await waiting.until(async () => (await states(waiting))[0]?.[1] === "parked");
  const again = await waiting.again([without]);
  await again.clock.advance(3_600_000);
  expect(again.lines.find((line) => line.level === "warn")?.message).toMatch(/step\.taken.*no handler/);
  broken.clear();
  const back = await again.again([make()]);
  await back.rest();
  expect([await result(back), await back.entries()]).toEqual([[0, 1, 2], []]);
});
