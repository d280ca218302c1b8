import { afterEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { command, event } from "../contract/event.js";
import { topic } from "../contract/topic.js";
import { service } from "../service/declare.js";
import { endTrials, trial } from "../testing/trial.js";
import { virtualClock } from "../testing/virtual-clock.js";

afterEach(endTrials);

const Step = z.object({ key: z.string(), n: z.int() });
const steps = topic("steps", { key: "key", partitions: 1, events: { taken: event("step.taken", Step) } });
const walk = command("walk", Step, { key: "key" });
const numbers = (count: number) => Array.from({ length: count }, (_, n) => n);
const spread = (count: number) => numbers(count).map((n) => steps.taken({ key: `k${n}`, n }));
const hot = (count: number, from = 0) => numbers(count).map((n) => steps.taken({ key: "hot", n: from + n }));

/** Most starts in any time of this length. */
function most(starts: readonly number[], withinMs: number): number {
  return Math.max(...starts.map((start) => starts.filter((at) => at >= start && at < start + withinMs).length));
}

describe("rateLimit", () => {
  it("starts no more runs in a time than it says, over all keys, evenly, and loses no time", async () => {
    const clock = virtualClock();
    const starts: number[] = [];
    const t = await trial(
      [
        service("s").on(steps.taken, { rateLimit: { events: 10, per: "1s" } }, () => {
          starts.push(clock.monotonic());
        }),
      ],
      { clock },
    );
    await t.app.publish(spread(100));
    await t.rest();
    expect(starts).toHaveLength(100);
    expect(most(starts, 1_000)).toBe(10);
    expect(clock.monotonic()).toBeLessThan(10_200);
  });

  it("lets a burst through after a pause", async () => {
    const clock = virtualClock();
    const starts: number[] = [];
    const t = await trial(
      [
        service("s").on(steps.taken, { rateLimit: { events: 10, per: "1s", burst: 25 } }, () => {
          starts.push(clock.monotonic());
        }),
      ],
      { clock },
    );
    await t.app.publish(spread(50));
    await t.until(() => starts.length > 0);
    expect(starts).toHaveLength(25);
    await t.rest();
    expect(most(starts, 1_000)).toBe(10 + 25 - 1);
    expect(clock.monotonic()).toBeLessThan(2_700);
  });

  it("counts every run, also those of events that failed or were parked", async () => {
    const clock = virtualClock();
    const starts: number[] = [];
    const retry = { attemptsInPlace: 2, attemptsMax: 4, backoffFirst: "1ms", backoffMax: "1ms" } as const;
    const t = await trial(
      [
        service("s").on(steps.taken, { retry, rateLimit: { events: 1, per: "1s" } }, () => {
          starts.push(clock.monotonic());
          throw new Error("broken");
        }),
      ],
      { clock },
    );
    await t.app.publish(spread(3));
    await t.rest();
    expect(starts).toHaveLength(12);
    expect(most(starts, 1_000)).toBe(1);
    expect((await t.entries()).map((entry) => entry.state)).toEqual(["dead", "dead", "dead"]);
  });

  it("limits commands too, and another subscription of the consumer not at all", async () => {
    const clock = virtualClock();
    const walked: number[] = [];
    let heard = 0;
    const t = await trial(
      [
        service("s")
          .handle(walk, { rateLimit: { events: 1, per: "1s" } }, () => {
            walked.push(clock.monotonic());
          })
          .on(steps.taken, () => {
            heard = clock.monotonic();
          }),
      ],
      { clock },
    );
    for (const n of numbers(5)) await t.app.send(walk({ key: `c${n}`, n }));
    await t.app.publish(spread(100));
    await t.rest();
    expect(heard).toBeLessThan(1_000);
    expect(most(walked, 1_000)).toBe(1);
    expect(walked).toHaveLength(5);
  });
});

describe("perKey.rateLimit", () => {
  it("spreads the runs of one key, in order, while the other keys go on", async () => {
    const clock = virtualClock();
    const starts: number[] = [];
    const order: number[] = [];
    let others = 0;
    const t = await trial(
      [
        service("s").on(steps.taken, { perKey: { rateLimit: { events: 2, per: "1s" } } }, ({ key, data }) => {
          if (key !== "hot") {
            others = clock.monotonic();
            return;
          }
          starts.push(clock.monotonic());
          order.push(data.n);
        }),
      ],
      { clock },
    );
    await t.app.publish([...hot(20), ...spread(300)]);
    await t.rest();
    expect(order).toEqual(numbers(20));
    expect(most(starts, 1_000)).toBe(2);
    expect(others).toBeLessThan(500);
    expect(await t.entries()).toEqual([]);
  });

  it("does not keep other keys waiting, however long the queue of one is: what waits moves to entries, in order", async () => {
    const clock = virtualClock();
    const order: number[] = [];
    const starts: number[] = [];
    let others = 0;
    const t = await trial(
      [
        service("s").on(
          steps.taken,
          { perKey: { rateLimit: { events: 100, per: "1s", burst: 1 } } },
          ({ key, data }) => {
            if (key !== "hot") {
              others += 1;
              return;
            }
            order.push(data.n);
            starts.push(clock.monotonic());
          },
        ),
      ],
      { clock },
    );
    for (let from = 0; from < 11_000; from += 1_000) await t.app.publish(hot(1_000, from));
    await t.app.publish(spread(100));
    await t.until(() => others === 100);
    expect(clock.monotonic()).toBeLessThan(5_000);
    expect(await t.entries()).toHaveLength(1_000);
    expect(order).toEqual(numbers(order.length));
    expect(most(starts, 1_000)).toBeLessThanOrEqual(100);
  }, 60_000);

  it("makes room in the memory of fetched events in the same way, and all of it runs in order at last", async () => {
    const order: number[] = [];
    let others = 0;
    const t = await trial(
      [
        service("s").on(
          steps.taken,
          { perKey: { rateLimit: { events: 20, per: "1s", burst: 1 } } },
          ({ key, data }) => {
            if (key === "hot") order.push(data.n);
            else others += 1;
          },
        ),
      ],
      { memory: { eventsBytesMax: 20_000 } },
    );
    await t.app.publish(hot(300));
    for (const event of spread(50)) await t.app.publish(event);
    await t.until(() => others === 50);
    expect(t.status("s").eventsBytes).toBeLessThan(30_000);
    expect(order.length).toBeLessThan(100);
    expect((await t.entries()).length).toBeGreaterThan(100);
    await t.rest();
    expect(order).toEqual(numbers(300));
    expect(await t.entries()).toEqual([]);
    expect(t.status("s").eventsBytes).toBe(0);
  });
});
