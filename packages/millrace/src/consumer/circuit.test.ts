import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { afterEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { standingOf } from "../admin/standing.js";
import { documents } from "../contract/documents.js";
import { event } from "../contract/event.js";
import { topic } from "../contract/topic.js";
import { Failure } from "../failure/failure.js";
import { service } from "../service/declare.js";
import { endTrials, type Trial, tempFolder, trial } from "../testing/trial.js";

afterEach(endTrials);

const Step = z.object({ key: z.string(), n: z.int() });
const steps = topic("steps", { key: "key", partitions: 3, events: { taken: event("step.taken", Step) } });
const seen = documents("seen", z.object({ key: z.string(), by: z.array(z.int()) }), { id: "key" });

/** A handler that asks a dependency, which answers or throws. */
function asking(dependency: (data: z.infer<typeof Step>) => void, options: object = {}) {
  const calls: string[] = [];
  const made = service("asking").on(steps.taken, options, async ({ data }, ctx) => {
    calls.push(data.key);
    dependency(data);
    const before = (await ctx.documents(seen).get(data.key)) ?? { key: data.key, by: [] };
    ctx.documents(seen).put({ ...before, by: [...before.by, data.n] });
  });
  return { made, calls };
}
const down = () => {
  throw new Error("connect ECONNREFUSED 10.0.0.7:5432");
};
const publish = (t: Trial, keys: readonly string[], rounds: readonly number[]) =>
  t.app.publish(rounds.flatMap((n) => keys.map((key) => steps.taken({ key, n }))));
const named = (count: number) => Array.from({ length: count }, (_, n) => `key-${n}`);
const hour = 3_600_000;

describe("a dependency that is down for an hour", () => {
  it("makes no dead letter of a thousand keys, is called now and then, and all are handled in order once it is back", async () => {
    let up = false;
    const { made, calls } = asking(() => up || down());
    const t = await trial([made]);
    const keys = named(1_000);
    await publish(t, keys, [1, 2]);
    await t.clock.advance(hour);
    expect(t.status("asking").circuit).toMatchObject({ code: "Error", message: "connect ECONNREFUSED 10.0.0.7:5432" });
    expect(await t.entries()).toEqual([]);
    // Those under way when it went down, then a probe every 30 s.
    console.log(`circuit: ${calls.length} calls in an hour`);
    expect(calls.length).toBeLessThan(256 + 140);
    expect(new Set(calls.slice(-100)).size).toBe(100);
    up = true;
    await t.rest();
    expect(t.status("asking").circuit).toBeUndefined();
    for (const key of keys) expect((await t.app.documents(seen).get(key))?.by).toEqual([1, 2]);
  }, 30_000);

  it("makes no dead letter of events that were parked before, either", async () => {
    let up = false;
    const { made } = asking(() => up || down(), { retry: { attemptsInPlace: 1, attemptsMax: 2 } });
    const t = await trial([made]);
    await publish(t, named(4), [1, 2]);
    await t.until(async () => (await t.entries()).length === 8);
    await publish(t, ["key-9"], [1]);
    await t.clock.advance(hour);
    expect((await t.entries()).map(({ state }) => state)).not.toContain("dead");
    up = true;
    await t.rest();
    for (const key of named(4)) expect((await t.app.documents(seen).get(key))?.by).toEqual([1, 2]);
  });

  it("is probed by one run at a time, after pauses that grow to 30 s", async () => {
    let now = 0;
    let most = 0;
    const at: number[] = [];
    let tripped = false;
    const made = service("asking").on(steps.taken, async () => {
      if (tripped) {
        at.push(t.clock.monotonic());
        now += 1;
        most = Math.max(most, now);
        await new Promise<void>((resolve) => void t.clock.after(100, resolve));
        now -= 1;
      }
      down();
    });
    const t: Trial = await trial([made]);
    await publish(t, named(50), [1]);
    await t.until(() => t.status("asking").circuit);
    tripped = true;
    await t.clock.advance(hour / 20);
    expect(most).toBe(1);
    const pauses = at.slice(1).map((time, index) => Math.round((time - (at[index] as number)) / 100) / 10);
    expect(pauses).toEqual([2.1, 4.1, 8.1, 16.1, 30.1, 30.1, 30.1, 30.1]);
  });

  it("is told once, on the log, on the channel, and in the consumer's standing", async () => {
    const told: unknown[] = [];
    const hear = (fields: unknown) => void told.push(fields);
    subscribe("millrace:circuit", hear);
    try {
      let up = false;
      const { made } = asking(() => up || down());
      const t = await trial([made]);
      await publish(t, named(20), [1]);
      await t.clock.advance(60_000);
      expect(t.lines.filter(({ level }) => level === "warn")).toMatchObject([
        { fields: { consumer: "asking" }, message: expect.stringMatching(/asking pauses: 5 keys failed alike/) },
      ]);
      const now = t.clock.now();
      const [view] = await t.running.engine.inspect.consumers(now);
      if (view === undefined) throw new Error("no view");
      expect(standingOf({ view, status: t.status("asking"), head: undefined, live: true, now })).toMatchObject({
        verdict: "blocked",
        reason: "circuit open since 2026-01-01T00:00:00.000Z: connect ECONNREFUSED 10.0.0.7:5432",
      });
      up = true;
      await t.rest();
      expect(told).toMatchObject([
        { consumer: "asking", state: "open", since: Date.UTC(2026, 0, 1) },
        { consumer: "asking", state: "closed", since: Date.UTC(2026, 0, 1) },
      ]);
    } finally {
      unsubscribe("millrace:circuit", hear);
    }
  });

  it("does not keep the app from stopping, nor the next start from going on", async () => {
    const dir = tempFolder();
    const t = await trial([asking(down).made], { dir });
    await publish(t, named(20), [1]);
    await t.until(() => t.status("asking").circuit);
    const next = await t.again([asking(() => {}).made]);
    await next.rest();
    for (const key of named(20)) expect((await next.app.documents(seen).get(key))?.by).toEqual([1]);
  });
});

describe("the circuit stays closed", () => {
  const never = async (t: Trial) => {
    await t.rest();
    expect(t.lines.filter(({ message }) => message.includes("pauses"))).toEqual([]);
  };

  it("for one poison key, however often it fails", async () => {
    const { made } = asking((data) => void (data.key === "key-3" && down()));
    const t = await trial([made]);
    await publish(t, ["key-3"], [1, 2, 3, 4, 5, 6, 7]);
    await never(t);
    expect((await t.entries()).map(({ state }) => state)).toEqual(["dead", ...new Array(6).fill("following")]);
  });

  it("for two errors of four keys each", async () => {
    const { made } = asking(({ n }) => {
      throw n < 4 ? new Error("one thing") : new TypeError("another");
    });
    const t = await trial([made]);
    await t.app.publish(named(8).map((key, n) => steps.taken({ key, n })));
    await never(t);
    expect((await t.entries()).map(({ state }) => state)).toEqual(new Array(8).fill("dead"));
  });

  it("while something succeeds between the failures", async () => {
    const { made } = asking(({ n }) => void (n % 5 < 4 && down()), { concurrency: 1, retry: { attemptsMax: 1 } });
    const t = await trial([made]);
    await t.app.publish(named(20).map((key, n) => steps.taken({ key, n })));
    await never(t);
    expect((await t.entries()).length).toBe(16);
  });

  it("for retries of poison keys that come all at once, while the other keys of the last second went well", async () => {
    const { made } = asking((data) => void (data.key.startsWith("bad") && down()), {
      retry: { attemptsInPlace: 2, attemptsMax: 2 },
    });
    const t = await trial([made]);
    await publish(t, named(5), [1]);
    await t.rest();
    await publish(t, ["bad-1", "bad-2", "bad-3", "bad-4", "bad-5", "bad-6"], [1]);
    await t.clock.advance(900);
    expect((await t.entries()).map(({ state }) => state)).toEqual(new Array(6).fill("dead"));
    await never(t);
  });

  it("for events that can never be handled, or that wait for their cause", async () => {
    let refuse = true;
    const { made } = asking(({ n }) => {
      if (refuse) throw new Failure(n < 20 ? "EVENT_REJECTED" : "NOT_YET", "no");
    });
    const t = await trial([made]);
    await t.app.publish(named(40).map((key, n) => steps.taken({ key, n })));
    await t.until(async () => (await t.entries()).length === 40);
    refuse = false;
    await never(t);
  });
});
