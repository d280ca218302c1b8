import fc from "fast-check";
import { expect, it } from "vitest";
import { KeyRates, Rate, type RatePlan } from "./rate.js";

/** A bucket of `burst` tokens that fills evenly; in whole numbers: a token is `perMs` drops, `events` drops come each ms. */
class Bucket {
  #drops: number;
  #at = 0;

  constructor(readonly limit: { readonly events: number; readonly perMs: number; readonly burst: number }) {
    this.#drops = limit.burst * limit.perMs;
  }

  /** Whole milliseconds until a token is there. */
  waitMs(now: number): number {
    const { events, perMs, burst } = this.limit;
    this.#drops = Math.min(burst * perMs, this.#drops + (now - this.#at) * events);
    this.#at = now;
    return Math.max(0, Math.ceil((perMs - this.#drops) / events));
  }

  take(): void {
    this.#drops -= this.limit.perMs;
  }
}

const limits = fc.record({
  events: fc.integer({ min: 1, max: 200 }),
  perMs: fc.integer({ min: 1, max: 5_000 }),
  burst: fc.integer({ min: 1, max: 50 }),
});
const planOf = ({ events, perMs, burst }: { events: number; perMs: number; burst: number }): RatePlan => ({
  intervalMs: perMs / events,
  burst,
});

it("admits what a bucket of tokens admits, and waits as long", () => {
  fc.assert(
    fc.property(limits, fc.array(fc.nat(400), { maxLength: 120 }), (limit, pauses) => {
      const rate = new Rate(planOf(limit));
      const bucket = new Bucket(limit);
      let now = 0;
      for (const pause of pauses) {
        now += pause;
        // The bucket knows whole milliseconds only.
        const wait = Math.max(0, Math.ceil(rate.waitMs(now) - 0.001));
        expect(wait).toBe(bucket.waitMs(now));
        if (wait > 0) continue;
        rate.take(now);
        bucket.take();
      }
    }),
  );
});

it("starts at most n + burst − 1 runs in any n intervals, and no fewer than it may when all are in a hurry", () => {
  fc.assert(
    fc.property(limits, fc.integer({ min: 1, max: 300 }), (limit, runs) => {
      const plan = planOf(limit);
      const rate = new Rate(plan);
      let now = 0;
      const starts: number[] = [];
      for (let run = 0; run < runs; run += 1) {
        now += rate.waitMs(now);
        rate.take(now);
        starts.push(now);
      }
      const allowed = limit.events + limit.burst - 1;
      for (let at = allowed; at < runs; at += 1)
        expect((starts[at] as number) - (starts[at - allowed] as number)).toBeGreaterThan(limit.perMs - 0.1);
      expect(now).toBeCloseTo(Math.max(0, runs - limit.burst) * plan.intervalMs, 3);
    }),
  );
});

it("keeps the keys apart, each like a rate of its own", () => {
  const steps = fc.array(fc.record({ key: fc.constantFrom("a", "b", "c"), pause: fc.nat(400) }), { maxLength: 100 });
  fc.assert(
    fc.property(limits, steps, (limit, taken) => {
      const plan = planOf(limit);
      const rates = new KeyRates(plan);
      const each = new Map(["a", "b", "c"].map((key) => [key, new Rate(plan)]));
      let now = 0;
      for (const { key, pause } of taken) {
        now += pause;
        const own = each.get(key) as Rate;
        expect(rates.waitMs(key, now)).toBe(own.waitMs(now));
        if (own.waitMs(now) > 0) continue;
        rates.take(key, now);
        own.take(now);
      }
    }),
  );
});

it("forgets keys that have been quiet, and remembers those that have not", () => {
  const rates = new KeyRates({ intervalMs: 1_000, burst: 1 });
  for (let n = 0; n < 50_000; n += 1) rates.take(`key-${n}`, n);
  expect(rates.size).toBeLessThan(4_000);
  expect(rates.waitMs("key-49999", 49_999)).toBe(1_000);
});
