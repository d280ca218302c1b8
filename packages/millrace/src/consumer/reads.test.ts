import { afterEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { documents } from "../contract/documents.js";
import { event } from "../contract/event.js";
import { topic } from "../contract/topic.js";
import { Failure } from "../failure/failure.js";
import { service } from "../service/declare.js";
import { endTrials, gate, tempFolder, trial } from "../testing/trial.js";
import type { Context } from "./handler.js";

afterEach(endTrials);

const Step = z.object({ key: z.string(), by: z.int() });
const steps = topic("steps", { key: "key", events: { taken: event("step.taken", Step) } });
const counters = documents("counters", z.object({ id: z.string(), n: z.int() }), { id: "id" });
type Ctx = Context<never>;

const read = async (ctx: Ctx, id: string) => (await ctx.documents(counters).get(id))?.n ?? 0;
const write = (ctx: Ctx, id: string, n: number) => ctx.documents(counters).put({ id, n });
const stepping = (handler: (key: string, ctx: Ctx, by: number) => unknown, retry = {}) =>
  service("stepping").on(steps.taken, { retry }, async ({ data }, ctx) => {
    await handler(data.key, ctx, data.by);
  });
const keys = (count: number) => Array.from({ length: count }, (_, index) => `k${index}`);
const take = (key: string) => steps.taken({ key, by: 1 });

describe("units of different keys that touch one document", () => {
  it("lose no update: both increments land", async () => {
    const both = gate();
    let waiting = 0;
    let runs = 0;
    const t = await trial([
      stepping(async (_, ctx, by) => {
        runs += 1;
        const n = await read(ctx, "shared");
        // Both have read before either is committed.
        waiting += 1;
        if (waiting === 2) both.open();
        await both.opened;
        write(ctx, "shared", n + by);
      }),
    ]);
    await t.app.publish([take("a"), take("b")]);
    await t.rest();
    expect(await t.app.documents(counters).get("shared")).toEqual({ id: "shared", n: 2 });
    expect(runs).toBe(3);
  });

  it("lose no update when hundreds of them read before any is committed, and none of them counts as failed", async () => {
    let attemptsMost = 0;
    const t = await trial([
      stepping(async (_, ctx, by) => {
        attemptsMost = Math.max(attemptsMost, ctx.attempt);
        write(ctx, "shared", (await read(ctx, "shared")) + by);
      }),
    ]);
    await t.app.publish(keys(300).map(take));
    await t.rest();
    expect(await t.app.documents(counters).get("shared")).toEqual({ id: "shared", n: 300 });
    expect(attemptsMost).toBe(1);
    expect(await t.entries()).toEqual([]);
  });

  it("cannot break a rule over two documents of which each writes one (write skew)", async () => {
    const both = gate();
    let waiting = 0;
    const t = await trial([
      stepping(async (key, ctx) => {
        // One of a and b may be zero, never both.
        const sum = (await read(ctx, "a")) + (await read(ctx, "b"));
        waiting += 1;
        if (waiting === 3) both.open();
        if (waiting > 1) await both.opened;
        if (key === "start") for (const id of ["a", "b"]) write(ctx, id, 1);
        else if (sum === 2) write(ctx, key, 0);
      }),
    ]);
    await t.app.publish(take("start"));
    await t.until(async () => (await t.app.documents(counters).get("b"))?.n === 1);
    await t.app.publish([take("a"), take("b")]);
    await t.rest();
    const left = [await t.app.documents(counters).get("a"), await t.app.documents(counters).get("b")];
    expect(left.map((document) => document?.n).sort()).toEqual([0, 1]);
  });

  it("see it when a document that both found absent was made meanwhile", async () => {
    const both = gate();
    let waiting = 0;
    const made: string[] = [];
    const t = await trial([
      stepping(async (key, ctx) => {
        const first = (await ctx.documents(counters).get("first")) === undefined;
        waiting += 1;
        if (waiting === 2) both.open();
        await both.opened;
        if (first) write(ctx, "first", key === "a" ? 1 : 2);
        else made.push(key);
      }),
    ]);
    await t.app.publish([take("a"), take("b")]);
    await t.rest();
    // One made it; the other found it stale, ran again and saw it.
    expect(made).toHaveLength(1);
    expect(await t.app.documents(counters).get("first")).toMatchObject({ n: made[0] === "b" ? 1 : 2 });
  });

  it("overwrite each other when they write without reading", async () => {
    let runs = 0;
    const t = await trial([
      stepping((_, ctx) => {
        runs += 1;
        write(ctx, "shared", 7);
      }),
    ]);
    await t.app.publish(take("a"));
    await t.rest();
    await t.app.publish(take("b"));
    await t.rest();
    expect([await t.app.documents(counters).get("shared"), runs]).toEqual([{ id: "shared", n: 7 }, 2]);
  });
});

describe("a run whose reads are stale", () => {
  /** One event holds its run open; meanwhile another writes what it has read. */
  async function overtaken(after: (n: number) => void, retry = {}) {
    const slow = gate();
    const runs: { readonly n: number; readonly attempt: number }[] = [];
    const t = await trial([
      stepping(async (key, ctx) => {
        const n = await read(ctx, "shared");
        if (key === "fast") return write(ctx, "shared", n + 1);
        runs.push({ n, attempt: ctx.attempt });
        if (runs.length === 1) await slow.opened;
        after(n);
      }, retry),
    ]);
    await t.app.publish(take("slow"));
    await t.until(() => runs.length === 1);
    await t.app.publish(take("fast"));
    await t.until(async () => (await t.app.documents(counters).get("shared")) !== undefined);
    slow.open();
    await t.rest();
    return { t, runs };
  }

  it("is run again when its handler throws, without counting an attempt", async () => {
    const { t, runs } = await overtaken(
      () => {
        throw new Error("because of what it read, perhaps");
      },
      { attemptsMax: 1 },
    );
    expect(runs).toEqual([
      { n: 0, attempt: 1 },
      { n: 1, attempt: 1 },
    ]);
    expect(await t.entries()).toMatchObject([{ state: "dead", attempt: 1 }]);
  });

  it("is run again at once when its handler throws, although it would be retried anyway", async () => {
    const { runs } = await overtaken((n) => {
      if (n === 0) throw new Error("because of what it read, perhaps");
    });
    expect(runs).toEqual([
      { n: 0, attempt: 1 },
      { n: 1, attempt: 1 },
    ]);
  });

  it("is run again when its handler decided to do nothing", async () => {
    const { t, runs } = await overtaken(() => {});
    expect(runs).toEqual([
      { n: 0, attempt: 1 },
      { n: 1, attempt: 1 },
    ]);
    expect(await t.entries()).toEqual([]);
  });

  it("is run again when the document was deleted, or deleted and made anew, meanwhile", async () => {
    for (const remake of [false, true]) {
      const slow = gate();
      const seen: number[] = [];
      const t = await trial([
        stepping(async (key, ctx) => {
          if (key === "make") return write(ctx, "shared", 5);
          if (key === "remove") return ctx.documents(counters).delete("shared");
          seen.push(await read(ctx, "shared"));
          if (seen.length === 1) await slow.opened;
        }),
      ]);
      const present = async () => (await t.app.documents(counters).get("shared")) !== undefined;
      await t.app.publish(take("make"));
      await t.until(present);
      await t.app.publish(take("slow"));
      await t.until(() => seen.length === 1);
      await t.app.publish(take("remove"));
      await t.until(async () => !(await present()));
      if (remake) {
        await t.app.publish(take("make"));
        await t.until(present);
      }
      slow.open();
      await t.rest();
      // The same content is not the same version: numbers of commits are never used twice.
      expect(seen).toEqual([5, remake ? 5 : 0]);
    }
  });

  it("waits a moment after five in a row, and is never given up", async () => {
    const runs: number[] = [];
    const t = await trial([
      stepping(
        (_, ctx) => {
          expect(ctx.attempt).toBe(1);
          runs.push(t.clock.monotonic());
          if (runs.length < 24) throw new Failure("VERSION_CONFLICT", "somebody else was faster");
        },
        { attemptsMax: 1 },
      ),
    ]);
    await t.app.publish(take("a"));
    await t.rest();
    expect(runs).toHaveLength(24);
    const pauses = runs.map((at, index) => at - (runs[index - 1] ?? at)).map((ms) => ms > 0);
    expect(pauses.filter((paused) => paused)).toHaveLength(4);
    expect([5, 10, 15, 20].map((index) => pauses[index])).toEqual([true, true, true, true]);
    expect(await t.entries()).toEqual([]);
  });

  it("waits a moment after five in a row when it runs from a lane entry, too", async () => {
    let parked = 0;
    const runs: number[] = [];
    const t = await trial([
      stepping(
        (_, ctx) => {
          if (ctx.attempt === 1) {
            parked += 1;
            throw new Error("park it");
          }
          expect(ctx.attempt).toBe(2);
          runs.push(t.clock.monotonic());
          if (runs.length < 13) throw new Failure("VERSION_CONFLICT", "somebody else was faster");
        },
        { attemptsInPlace: 1 },
      ),
    ]);
    await t.app.publish(take("a"));
    await t.rest();
    expect([parked, runs.length]).toEqual([1, 13]);
    const pauses = runs.map((at, index) => at - (runs[index - 1] ?? at)).map((ms) => ms > 0);
    expect([5, 10].map((index) => pauses[index])).toEqual([true, true]);
    expect(pauses.filter((paused) => paused)).toHaveLength(2);
  });
});

it("still checks reads of documents that were read before a restart of the program", async () => {
  const dir = tempFolder();
  const counting = () => stepping(async (_, ctx, by) => write(ctx, "shared", (await read(ctx, "shared")) + by));
  const t = await trial([counting()], { dir });
  await t.app.publish(keys(20).map(take));
  await t.rest();
  const again = await t.again([counting()]);
  await again.app.publish(keys(20).map(take));
  await again.rest();
  expect(await again.app.documents(counters).get("shared")).toEqual({ id: "shared", n: 40 });
});
