import { afterEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { documents } from "../contract/documents.js";
import { event } from "../contract/event.js";
import { topic } from "../contract/topic.js";
import { service } from "../service/declare.js";
import { endTrials, type Trial, tempFolder, trial } from "../testing/trial.js";

afterEach(endTrials);

const Step = z.object({ key: z.string(), n: z.int() });
const steps = topic("steps", { key: "key", partitions: 8, events: { taken: event("step.taken", Step) } });
const counts = documents("counts", z.object({ id: z.string(), numbers: z.array(z.int()) }), { id: "id" });
const numbers = (count: number) => Array.from({ length: count }, (_, n) => n);

/** A program whose consumer notes, by key, what it handled and where. */
function program(handled: string[]) {
  const owner = service("owner").owns(steps);
  const counting = service("counting").on(steps.taken, async ({ data }, ctx) => {
    const before = (await ctx.documents(counts).get(data.key)) ?? { id: data.key, numbers: [] };
    ctx.documents(counts).put({ ...before, numbers: [...before.numbers, data.n] });
    handled.push(`${data.key}/${data.n}`);
  });
  return [owner, counting];
}

/** Lets time pass in all until the condition holds. */
async function until(trials: readonly Trial[], condition: () => unknown): Promise<void> {
  for (let step = 0; step < 4_000; step += 1) {
    for (const t of trials) await t.clock.advance(step % 4 === 0 ? 25 : 0);
    if (await condition()) return;
  }
  throw new Error("the condition did not come to hold");
}

describe("a second process on one folder", () => {
  it("shares the partitions, and every event is handled once, in order", async () => {
    const dir = tempFolder();
    const byFirst: string[] = [];
    const bySecond: string[] = [];
    const first = await trial(program(byFirst), { dir });
    await first.app.publish(numbers(100).map((n) => steps.taken({ key: `k${n % 10}`, n })));
    await first.rest();
    expect(byFirst).toHaveLength(100);
    const second = await trial(program(bySecond), { dir });
    await until([first, second], () => held(first) === 4 && held(second) === 4);
    for (let from = 100; from < 1_000; from += 50) {
      const publisher = from % 100 === 0 ? first : second;
      await publisher.app.publish(numbers(50).map((n) => steps.taken({ key: `k${n % 10}`, n: from + n })));
    }
    await until([first, second], () => byFirst.length + bySecond.length === 1_000);
    expect(bySecond.length).toBeGreaterThan(100);
    await until([first, second], async () => (await second.app.documents(counts).get("k9"))?.numbers.length === 100);
    for (const key of numbers(10)) {
      const stored = await second.app.documents(counts).get(`k${key}`);
      expect(stored?.numbers).toEqual(numbers(100).map((n) => n * 10 + key));
    }
  });
});

function held(t: Trial): number {
  return t.status("counting").partitions;
}
