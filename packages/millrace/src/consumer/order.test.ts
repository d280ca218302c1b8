import fc from "fast-check";
import { afterEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { documents } from "../contract/documents.js";
import { event } from "../contract/event.js";
import { topic } from "../contract/topic.js";
import { Failure } from "../failure/failure.js";
import { seededRandom } from "../runtime/random.js";
import { service } from "../service/declare.js";
import { endTrials, tempFolder, trial } from "../testing/trial.js";

afterEach(endTrials);

const Step = z.object({ key: z.string(), n: z.int() });
const steps = topic("steps", { key: "key", partitions: 4, events: { taken: event("step.taken", Step) } });
/** What was applied to each key, in order: committed with the rest of the unit, so that it cannot lie. */
const Applied = z.object({ key: z.string(), seen: z.array(z.int()) });
const applied = documents("applied", Applied, { id: "key" });

interface Ways {
  /** Whether this run of this event fails. */
  readonly fails: (key: string, n: number, attempt: number) => boolean;
  readonly turns?: () => number;
  readonly options?: object;
}
const applying = ({ fails, turns = () => 0, options = {} }: Ways) =>
  service("applying").on(steps.taken, options, async ({ data }, ctx) => {
    const before = (await ctx.documents(applied).get(data.key)) ?? { key: data.key, seen: [] };
    for (let turn = turns(); turn > 0; turn -= 1) await new Promise<void>((done) => setImmediate(done));
    ctx.documents(applied).put({ ...before, seen: [...before.seen, data.n] });
    if (fails(data.key, data.n, ctx.attempt)) throw new Error(`not now: ${data.n}`);
  });

const upTo = (count: number) => Array.from({ length: count }, (_, index) => index);

describe("the order of each key", () => {
  const model = fc.record({
    seed: fc.integer(),
    keys: fc.integer({ min: 1, max: 6 }),
    events: fc.integer({ min: 1, max: 60 }),
    concurrency: fc.constantFrom(1, 2, 256),
    attemptsInPlace: fc.integer({ min: 1, max: 3 }),
    restartAfter: fc.integer({ min: 0, max: 60 }),
  });

  it("is kept over retries in place, parking and restarts when three runs in ten fail: each event once, rising", async () => {
    await fc.assert(
      fc.asyncProperty(model, async ({ seed, keys, events, concurrency, attemptsInPlace, restartAfter }) => {
        const random = seededRandom(seed);
        const ways: Ways = {
          fails: () => random.next() < 0.3,
          turns: () => Math.floor(random.next() * 3),
          options: {
            concurrency,
            retry: { attemptsInPlace, attemptsMax: 1_000, backoffFirst: "10ms", backoffMax: "2s" },
          },
        };
        let t = await trial([applying(ways)], { dir: tempFolder() });
        const expected = new Map<string, number[]>();
        for (const n of upTo(events)) {
          const key = `k${Math.floor(random.next() * keys)}`;
          expected.set(key, [...(expected.get(key) ?? []), n]);
          await t.app.publish(steps.taken({ key, n }));
          if (n === restartAfter) t = await t.again([applying(ways)]);
        }
        await t.rest();
        for (const [key, seen] of expected) expect((await t.app.documents(applied).get(key))?.seen).toEqual(seen);
        expect(await t.entries()).toEqual([]);
        await endTrials();
      }),
      { numRuns: 15 },
    );
  });

  it("is kept when events are published in bursts, many to a commit", async () => {
    const random = seededRandom(7);
    const t = await trial([applying({ fails: () => random.next() < 0.3, options: { retry: { attemptsMax: 1_000 } } })]);
    const bursts = upTo(10).map((burst) =>
      t.app.publish(upTo(100).map((at) => steps.taken({ key: `k${at % 7}`, n: burst * 100 + at }))),
    );
    await Promise.all(bursts);
    await t.rest();
    for (const k of upTo(7)) {
      const seen = (await t.app.documents(applied).get(`k${k}`))?.seen ?? [];
      expect(seen).toEqual(upTo(1_000).filter((n) => (n % 100) % 7 === k));
    }
  });
});

describe("a failing event", () => {
  const failing = (attempts: number[], options: object) =>
    applying({
      fails: (_, n, attempt) => {
        if (n === 0) attempts.push(attempt);
        return n === 0;
      },
      options,
    });

  it("is run in place a few times, then parked, and at last a dead letter that says why", async () => {
    const attempts: number[] = [];
    const states: string[] = [];
    const t = await trial([failing(attempts, { retry: { attemptsInPlace: 2, attemptsMax: 4 } })]);
    await t.app.publish(steps.taken({ key: "a", n: 0 }));
    await t.until(async () => {
      const [entry] = await t.entries();
      if (entry !== undefined && states.at(-1) !== `${entry.state} ${entry.attempt}`)
        states.push(`${entry.state} ${entry.attempt}`);
      return entry?.state === "dead";
    });
    expect(attempts).toEqual([1, 2, 3, 4]);
    expect(states).toEqual(["parked 2", "parked 3", "dead 4"]);
    expect(await t.entries()).toMatchObject([
      {
        consumer: "applying",
        state: "dead",
        holds: true,
        attempt: 4,
        failure: { code: "Error", message: "not now: 0", fingerprint: expect.stringMatching(/^[0-9a-f]{12}$/) },
        record: { key: "a", data: { key: "a", n: 0 } },
      },
    ]);
  });

  it("holds its followers in order, parked and dead, and nobody else's", async () => {
    const t = await trial([failing([], { retry: { attemptsInPlace: 1, attemptsMax: 3, backoffFirst: "20s" } })]);
    await t.app.publish([0, 1, 2].map((n) => steps.taken({ key: "held", n })));
    await t.until(async () => (await t.entries()).length === 3);
    expect((await t.entries()).map((entry) => entry.state)).toEqual(["parked", "following", "following"]);
    await t.app.publish([3, 4].map((n) => steps.taken({ key: n === 3 ? "held" : "free", n })));
    await t.until(async () => (await t.entries()).length === 4);
    expect((await t.app.documents(applied).get("free"))?.seen).toEqual([4]);
    await t.until(async () => (await t.entries())[0]?.state === "dead");
    await t.app.publish(steps.taken({ key: "held", n: 5 }));
    await t.rest();
    const entries = await t.entries();
    expect(entries.map(({ state, record }) => [state, (record.data as { n: number }).n])).toEqual([
      ["dead", 0],
      ["following", 1],
      ["following", 2],
      ["following", 3],
      ["following", 5],
    ]);
    expect(await t.app.documents(applied).get("held")).toBeUndefined();
  });

  it("holds its followers after a restart, too", async () => {
    const options = { retry: { attemptsMax: 1 } };
    const t = await trial([failing([], options)], { dir: tempFolder() });
    await t.app.publish([0, 1].map((n) => steps.taken({ key: "held", n })));
    await t.rest();
    const again = await t.again([failing([], options)]);
    await again.app.publish([steps.taken({ key: "held", n: 2 }), steps.taken({ key: "free", n: 3 })]);
    await again.rest();
    expect((await again.entries()).map((entry) => entry.state)).toEqual(["dead", "following", "following"]);
    expect((await again.app.documents(applied).get("free"))?.seen).toEqual([3]);
  });

  it("lets its followers go on when the subscription says so", async () => {
    const t = await trial([failing([], { onPoison: "skip", retry: { attemptsInPlace: 1, attemptsMax: 2 } })]);
    await t.app.publish([0, 1, 2].map((n) => steps.taken({ key: "a", n })));
    await t.rest();
    await t.app.publish(steps.taken({ key: "a", n: 3 }));
    await t.rest();
    expect((await t.app.documents(applied).get("a"))?.seen).toEqual([1, 2, 3]);
    expect(await t.entries()).toMatchObject([{ state: "dead", holds: false, record: { data: { n: 0 } } }]);
  });

  it("is a dead letter at once when it can never succeed", async () => {
    let runs = 0;
    const t = await trial([
      service("strict").on(steps.taken, () => {
        runs += 1;
        throw new Failure("CONTRACT_REJECTED", "the bank says the number is wrong");
      }),
    ]);
    await t.app.publish(steps.taken({ key: "a", n: 0 }));
    await t.rest();
    expect(runs).toBe(1);
    expect(await t.entries()).toMatchObject([{ state: "dead", attempt: 1, failure: { code: "CONTRACT_REJECTED" } }]);
  });

  it("of whatever kind is kept with a reason: no error, no text, a huge text", async () => {
    const thrown: readonly unknown[] = [undefined, null, "only text", { some: "object" }, new Error("x".repeat(1e6))];
    const t = await trial([
      service("odd").on(steps.taken, { retry: { attemptsMax: 1 } }, ({ data }) => {
        throw thrown[data.n];
      }),
    ]);
    await t.app.publish(thrown.map((_, n) => steps.taken({ key: `k${n}`, n })));
    await t.rest();
    const failures = (await t.entries()).map((entry) => entry.failure);
    expect(failures.map((failure) => failure?.message.slice(0, 20))).toEqual([
      "undefined",
      "null",
      "only text",
      "[object Object]",
      "x".repeat(20),
    ]);
    expect(failures.at(-1)?.message.length).toBeLessThanOrEqual(1_000);
  });
});

describe("pauses between attempts", () => {
  it("double from the first up to the most, with jitter of at most a half", async () => {
    const at: number[] = [];
    const retry = { attemptsInPlace: 3, attemptsMax: 8, backoffFirst: "100ms", backoffMax: "1s" } as const;
    const t = await trial([
      service("failing").on(steps.taken, { retry }, () => {
        at.push(t.clock.monotonic());
        throw new Error("no");
      }),
    ]);
    await t.app.publish(steps.taken({ key: "a", n: 0 }));
    await t.rest();
    const pauses = at.slice(1).map((time, index) => time - (at[index] as number));
    expect(pauses).toHaveLength(7);
    [100, 200, 400, 800, 1_000, 1_000, 1_000].forEach((full, index) => {
      expect(pauses[index]).toBeGreaterThanOrEqual(full / 2);
      expect(pauses[index]).toBeLessThanOrEqual(full);
    });
    expect(new Set(pauses.slice(4)).size).toBe(3);
  });
});
