import { afterEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { event } from "../contract/event.js";
import { topic } from "../contract/topic.js";
import { embedded } from "../embedded/embedded.js";
import { millrace } from "../main/millrace.js";
import { service } from "../service/declare.js";
import { endTrials, gate, trial } from "../testing/trial.js";
import { virtualClock } from "../testing/virtual-clock.js";
import type { ConsumerOptions } from "./options.js";

afterEach(endTrials);

const Step = z.object({ key: z.string(), n: z.int() });
const steps = topic("steps", {
  key: "key",
  events: {
    low: event("step.low", Step),
    plain: event("step.plain", Step),
    high: event("step.high", Step),
  },
});
const numbers = (count: number) => Array.from({ length: count }, (_, n) => n);

/** A consumer of three subscriptions, its first handler held at a gate; what ran, in order, once the gate is open. */
async function ran(
  options: ConsumerOptions,
  publish: readonly { readonly type: "low" | "plain" | "high"; readonly key: string }[],
) {
  const closed = gate();
  const clock = virtualClock();
  const seen: string[] = [];
  let atWork = 0;
  let most = 0;
  const handler = async ({ type, key, data }: { type: string; key: string; data: { n: number } }) => {
    atWork += 1;
    most = Math.max(most, atWork);
    if (key.startsWith("first")) await closed.opened;
    else {
      await new Promise<void>((resolve) => clock.after(1, resolve));
      seen.push(`${type.slice(5)} ${key} ${data.n}`);
    }
    atWork -= 1;
  };
  const t = await trial(
    [
      service("s", options)
        .on(steps.low, { priority: -1 }, handler)
        .on(steps.plain, handler)
        .on(steps.high, { priority: 5 }, handler),
    ],
    { clock },
  );
  for (const n of numbers(options.concurrency ?? 0)) await t.app.publish(steps.plain({ key: `first-${n}`, n }));
  await t.until(() => atWork === (options.concurrency ?? 0));
  for (const [n, { type, key }] of publish.entries()) await t.app.publish(steps[type]({ key, n }));
  for (const _ of numbers(40)) await clock.advance(25);
  closed.open();
  await t.rest();
  return { seen, most };
}

describe("priority", () => {
  it("goes by priority when one place is free, and among equals by arrival", async () => {
    const { seen, most } = await ran({ concurrency: 1 }, [
      { type: "low", key: "a" },
      { type: "plain", key: "b" },
      { type: "low", key: "c" },
      { type: "high", key: "d" },
      { type: "plain", key: "e" },
      { type: "high", key: "f" },
    ]);
    expect(seen).toEqual(["high d 3", "high f 5", "plain b 1", "plain e 4", "low a 0", "low c 2"]);
    expect(most).toBe(1);
  });

  it("starves nobody: every eighth place goes to who has waited longest", async () => {
    const { seen } = await ran({ concurrency: 1 }, [
      ...numbers(10).map((n) => ({ type: "low" as const, key: `l${n}` })),
      ...numbers(1_000).map((n) => ({ type: "high" as const, key: `h${n}` })),
    ]);
    const lows = seen.map((line, at) => (line.startsWith("low") ? at : -1)).filter((at) => at >= 0);
    expect(lows).toHaveLength(10);
    for (const [index, at] of lows.entries()) expect(at).toBeLessThan(8 * (index + 1));
    expect(lows[1] as number).toBeGreaterThan(7);
  });

  it("finds what is urgent behind hundreds that are not", async () => {
    const { seen } = await ran({ concurrency: 1 }, [
      ...numbers(700).map((n) => ({ type: "low" as const, key: `l${n}` })),
      { type: "high", key: "h" },
    ]);
    expect(seen[0]).toBe("high h 700");
  });

  it("overtakes nothing within a key", async () => {
    const { seen } = await ran({ concurrency: 2 }, [
      { type: "low", key: "a" },
      { type: "high", key: "a" },
      { type: "plain", key: "b" },
      { type: "high", key: "b" },
      { type: "low", key: "b" },
    ]);
    const of = (key: string) => seen.filter((line) => line.includes(` ${key} `)).map((line) => Number(line.at(-1)));
    expect(of("a")).toEqual([0, 1]);
    expect(of("b")).toEqual([2, 3, 4]);
  });
});

describe("the concurrency of a consumer", () => {
  it("bounds the handlers at work of all its subscriptions, whatever each of them says", async () => {
    const publish = numbers(60).map((n) => ({
      type: (["low", "plain", "high"] as const)[n % 3] ?? "low",
      key: `k${n}`,
    }));
    const { seen, most } = await ran({ concurrency: 4 }, publish);
    expect(most).toBe(4);
    expect(seen).toHaveLength(60);
  });

  it("has a place for others while an event waits for its repeat", async () => {
    const clock = virtualClock();
    let handled = 0;
    const t = await trial(
      [
        service("s", { concurrency: 1 }).on(steps.low, { retry: { backoffFirst: "1m" } }, async ({ key }, ctx) => {
          await new Promise<void>((resolve) => clock.after(1, resolve));
          if (key === "bad" && ctx.attempt === 1) throw new Error("not yet");
          handled = clock.monotonic();
        }),
      ],
      { clock },
    );
    await t.app.publish([steps.low({ key: "bad", n: 0 }), steps.low({ key: "good", n: 1 })]);
    for (const _ of numbers(20)) await t.clock.advance(25);
    expect(t.status("s").queued).toBe(1);
    await t.rest();
    expect(handled).toBeGreaterThanOrEqual(30_000);
  });

  it("is that of the consumer it was given to, and of no other", async () => {
    const closed = gate();
    let first = 0;
    let second = 0;
    const t = await trial([
      service("s")
        .on(steps.low, async () => {
          first += 1;
          await closed.opened;
        })
        .consumer("other", { concurrency: 2 }, (consumer) =>
          consumer.on(steps.low, async () => {
            second += 1;
            await closed.opened;
          }),
        ),
    ]);
    await t.app.publish(numbers(10).map((n) => steps.low({ key: `k${n}`, n })));
    await t.until(() => first === 10);
    for (const _ of numbers(20)) await t.clock.advance(25);
    expect(second).toBe(2);
    closed.open();
    await t.rest();
    expect(second).toBe(10);
  });

  it.each([0, -1, 2.5, "4"])("of %j is refused", (concurrency) => {
    const app = () =>
      millrace({
        engine: embedded(":memory:"),
        services: [service("s", { concurrency: concurrency as number }).on(steps.low, () => {})],
      });
    expect(app).toThrow(`s: concurrency takes a whole number from 1 on, not ${concurrency}`);
  });
});

it.each([1.5, "high", Number.POSITIVE_INFINITY])("a priority of %j is refused", (priority) => {
  const app = () =>
    millrace({
      engine: embedded(":memory:"),
      services: [service("s").on(steps.low, { priority: priority as number }, () => {})],
    });
  expect(app).toThrow(`s, step.low: priority takes a whole number, higher first, not ${priority}`);
});
