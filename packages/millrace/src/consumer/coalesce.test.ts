import fc from "fast-check";
import { afterEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { event } from "../contract/event.js";
import { topic } from "../contract/topic.js";
import type { Cancel } from "../runtime/clock.js";
import { subscribe } from "../runtime/signals.js";
import { service } from "../service/declare.js";
import { endTrials, gate, type Trial, tempFolder, trial } from "../testing/trial.js";
import { virtualClock } from "../testing/virtual-clock.js";
import type { EventOptions } from "./options.js";

let unsubscribe: Cancel = () => {};
afterEach(async () => {
  unsubscribe();
  await endTrials();
});

const Step = z.object({ key: z.string(), n: z.int() });
const steps = topic("steps", {
  key: "key",
  partitions: 2,
  events: { taken: event("step.taken", Step), undone: event("step.undone", Step) },
});
const numbers = (count: number) => Array.from({ length: count }, (_, n) => n);
const taken = (n: number, key = "a") => steps.taken({ key, n });

async function lag(t: Trial): Promise<number | undefined> {
  return (await t.running.engine.inspect.consumers(0))[0]?.lagRecords;
}

describe("coalesce", () => {
  it("handles the newest of what waits, finishes the others with it, and tells how many", async () => {
    const closed = gate();
    const seen: number[] = [];
    const told: unknown[] = [];
    unsubscribe = subscribe("coalesced", (fields) => told.push(fields));
    const t = await trial([
      service("s").on(steps.taken, { coalesce: true }, async ({ data }) => {
        if (data.n === 0) await closed.opened;
        seen.push(data.n);
      }),
    ]);
    await t.app.publish(taken(0));
    await t.until(() => t.status("s").inFlight === 1);
    let last = "";
    for (const n of numbers(10).slice(1)) last = (await t.app.publish(taken(n))).id;
    await t.app.publish(taken(1, "b"));
    await t.until(() => seen.length === 1);
    closed.open();
    await t.rest();
    expect(seen).toEqual([1, 0, 9]);
    expect(t.status("s").coalesced).toBe(8);
    expect(told).toEqual([{ consumer: "s", event: last, superseded: 8 }]);
    expect(await lag(t)).toBe(0);
    expect(t.status("s").eventsBytes).toBe(0);
  });

  it("keeps the order among types: an event of another type is handled between what came before and after it", async () => {
    const closed = gate();
    const seen: string[] = [];
    const t = await trial([
      service("s")
        .on(steps.taken, { coalesce: true }, async ({ data }) => {
          if (data.n === 0) await closed.opened;
          seen.push(`taken ${data.n}`);
        })
        .on(steps.undone, ({ data }) => void seen.push(`undone ${data.n}`)),
    ]);
    await t.app.publish([taken(0)]);
    await t.until(() => t.status("s").inFlight === 1);
    await t.app.publish([taken(1), taken(2), steps.undone({ key: "a", n: 2 }), taken(3), taken(4)]);
    await t.app.publish(taken(1, "b"));
    await t.until(() => seen.length === 1);
    closed.open();
    await t.rest();
    expect(seen.slice(1)).toEqual(["taken 0", "taken 2", "undone 2", "taken 4"]);
    expect(t.status("s").coalesced).toBe(2);
  });

  it("does not supersede an event that was tried: its failure stays its own", async () => {
    const seen: string[] = [];
    const t = await trial([
      service("s").on(steps.taken, { coalesce: true }, ({ data }, ctx) => {
        seen.push(`${data.n}/${ctx.attempt}`);
        if (data.n === 0 && ctx.attempt < 5) throw new Error("not yet");
      }),
    ]);
    await t.app.publish(taken(0));
    await t.until(() => seen.length === 1);
    await t.app.publish([taken(1), taken(2)]);
    await t.until(() => seen.length === 2);
    await t.app.publish(taken(3));
    await t.rest();
    expect(seen).toEqual(["0/1", "0/2", "0/3", "0/4", "0/5", "3/1"]);
    expect(t.status("s").coalesced).toBe(2);
  });

  it("keeps what waits behind a dead letter, each of it, until the operator has decided", async () => {
    const seen: number[] = [];
    let broken = true;
    const t = await trial([
      service("s").on(steps.taken, { coalesce: true, retry: { attemptsMax: 1 } }, ({ data }) => {
        if (data.n === 3 && broken) throw new Error("broken");
        seen.push(data.n);
      }),
    ]);
    await t.app.publish([taken(1), taken(2), taken(3)]);
    await t.rest();
    await t.app.publish([taken(4), taken(5)]);
    await t.rest();
    // What the dead letter superseded is finished, as it would be had it been handled.
    expect(t.status("s").coalesced).toBe(2);
    expect(await lag(t)).toBe(0);
    const entries = await t.entries("s");
    expect(entries.map(({ state, record }) => [state, record.data])).toEqual([
      ["dead", { key: "a", n: 3 }],
      ["following", { key: "a", n: 4 }],
      ["following", { key: "a", n: 5 }],
    ]);
    broken = false;
    const { operate } = t.running.engine;
    const act = { actor: "ada", reason: "mended", at: t.clock.now() };
    const { lanes } = await operate.redrive([entries[0]?.entry as number], act);
    await t.running.lanesChanged(lanes);
    await t.rest();
    expect(seen).toEqual([3, 4, 5]);
  });
});

describe("debounce", () => {
  const options = { debounce: { quiet: "2s", waitMax: "10s" } } as const;
  const listener = (seen: string[], now: () => number) =>
    service("s").on(steps.taken, options, ({ key, data }) => void seen.push(`${key}${data.n} at ${now()}`));

  it("handles the last event of a key once it has been quiet, other keys for themselves", async () => {
    const clock = virtualClock();
    const seen: string[] = [];
    const t = await trial([listener(seen, clock.monotonic)], { clock });
    for (const n of numbers(4)) {
      await t.app.publish([taken(n), taken(n, "b")]);
      await clock.advance(1_000);
    }
    await t.app.publish(taken(4));
    await t.rest();
    expect(seen).toEqual(["b3 at 5000", "a4 at 6000"]);
    expect(t.status("s").coalesced).toBe(7);
    expect(await lag(t)).toBe(0);
  });

  it("waits no longer than waitMax after the first of a burst", async () => {
    const clock = virtualClock();
    const seen: string[] = [];
    const t = await trial([listener(seen, clock.monotonic)], { clock });
    for (const n of numbers(15)) {
      await t.app.publish(taken(n));
      await clock.advance(1_000);
    }
    await t.rest();
    expect(seen).toEqual(["a9 at 10000", "a14 at 16000"]);
  });

  it("goes on waiting after a restart, not anew", async () => {
    const clock = virtualClock();
    const seen: string[] = [];
    const services = () => [listener(seen, clock.monotonic)];
    let t = await trial(services(), { clock, dir: tempFolder() });
    await t.app.publish([taken(0), taken(1)]);
    await clock.advance(1_500);
    t = await t.again(services());
    const restarted = clock.monotonic();
    expect(restarted).toBeLessThan(2_000);
    await t.rest();
    expect(seen).toEqual(["a1 at 2000"]);
    t = await t.again(services());
    await t.rest();
    expect(seen).toHaveLength(1);
  });

  it("is not early or late by more than it says when somebody sets the clock", async () => {
    const clock = virtualClock();
    const seen: string[] = [];
    const t = await trial([listener(seen, clock.monotonic)], { clock });
    await t.app.publish(taken(0));
    clock.set(clock.now() - 86_400_000);
    await t.rest();
    expect(Number(seen[0]?.split(" ")[2])).toBeLessThanOrEqual(4_000);
  });

  it("repeats a run that failed without waiting for quiet, and handles what came meanwhile as the next burst", async () => {
    const clock = virtualClock();
    const seen: string[] = [];
    const t = await trial(
      [
        service("s").on(steps.taken, options, ({ data }, ctx) => {
          seen.push(`${data.n}/${ctx.attempt} at ${Math.floor(clock.monotonic() / 1_000)}`);
          if (data.n === 2 && ctx.attempt < 6) throw new Error("broken");
        }),
      ],
      { clock },
    );
    await t.app.publish([taken(0), taken(1), taken(2)]);
    await t.until(() => seen.length === 1);
    await t.app.publish([taken(3), taken(4)]);
    await t.rest();
    expect(seen.slice(0, 3)).toEqual(["2/1 at 2", "2/2 at 2", "2/3 at 2"]);
    expect(seen.filter((line) => line.startsWith("2/"))).toHaveLength(6);
    expect(seen.slice(6).map((line) => line.split(" ")[0])).toEqual(["4/1"]);
  });

  it("does not keep other keys waiting when it holds a partition's frontier for long", async () => {
    const clock = virtualClock();
    let others = 0;
    const t = await trial(
      [
        service("s")
          .on(steps.taken, { debounce: { quiet: "1h" } }, () => {})
          .on(steps.undone, () => {
            others += 1;
          }),
      ],
      { clock },
    );
    await t.app.publish(taken(0));
    for (let from = 0; from < 12_000; from += 1_000)
      await t.app.publish(numbers(1_000).map((n) => steps.undone({ key: "a-other", n: from + n })));
    for (const key of numbers(8)) await t.app.publish(steps.undone({ key: `o-${key}`, n: 0 }));
    for (let from = 0; from < 12_000; from += 1_000)
      await t.app.publish(numbers(1_000).map((n) => steps.undone({ key: "b-other", n: from + n })));
    await t.until(() => others === 24_008);
    expect(clock.monotonic()).toBeLessThan(60_000);
  });
});

describe("whatever happens when", () => {
  const act = fc.record({
    key: fc.constantFrom("a", "b", "c"),
    pause: fc.constantFrom(0, 0, 5, 300, 2_500),
    takes: fc.constantFrom(0, 0, 40, 700),
    fails: fc.nat(9).map((n) => (n < 7 ? 0 : n - 6)),
    other: fc.nat(5).map((n) => n === 0),
  });
  const kinds = fc.constantFrom<EventOptions<never>>(
    { coalesce: true },
    { debounce: { quiet: "1s", waitMax: "3s" } },
    { debounce: { quiet: "200ms" }, perKey: { rateLimit: { events: 2, per: "1s" } } },
    { coalesce: true, rateLimit: { events: 5, per: "1s" }, concurrency: 1 },
  );

  it("each event is handled once or superseded by a newer one of its key, in order, and the last is handled", async () => {
    await fc.assert(
      fc.asyncProperty(kinds, fc.array(act, { minLength: 1, maxLength: 30 }), async (options, acts) => {
        const handled: { key: string; n: number }[] = [];
        let begun = 0;
        const clock = virtualClock();
        const handler = async ({ key, data }: { key: string; data: { n: number } }, ctx: { attempt: number }) => {
          const { takes, fails } = acts[data.n] as (typeof acts)[number];
          begun += 1;
          if (takes > 0) await new Promise<void>((resolve) => clock.after(takes, resolve));
          if (ctx.attempt <= fails) throw new Error("broken");
          handled.push({ key, n: data.n });
        };
        const t = await trial([service("s").on(steps.taken, options, handler).on(steps.undone, handler)], { clock });
        for (const [n, { key, pause, other }] of acts.entries()) {
          await t.app.publish((other ? steps.undone : steps.taken)({ key, n }));
          await clock.advance(pause);
        }
        await t.rest();
        expect(handled.length + t.status("s").coalesced).toBe(acts.length);
        expect(begun).toBeGreaterThanOrEqual(handled.length);
        for (const key of ["a", "b", "c"]) {
          const own = handled.filter((one) => one.key === key).map((one) => one.n);
          expect(own).toEqual([...new Set(own)].sort((x, y) => x - y));
          const published = [...acts.keys()].filter((n) => acts[n]?.key === key);
          expect(own.at(-1)).toBe(published.at(-1));
          const others = published.filter((n) => acts[n]?.other);
          expect(own).toEqual(expect.arrayContaining(others));
        }
        expect(await lag(t)).toBe(0);
        expect(t.status("s").eventsBytes).toBe(0);
        await t.stop();
      }),
      { numRuns: 60 },
    );
  }, 60_000);
});
