import { afterEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { event } from "../contract/event.js";
import { topic } from "../contract/topic.js";
import { laggards } from "../http/health.js";
import { service } from "../service/declare.js";
import { endTrials, gate, type Trial, trial } from "../testing/trial.js";

afterEach(endTrials);

const Step = z.object({ key: z.string(), n: z.int() });
const steps = topic("steps", { key: "key", partitions: 1, events: { taken: event("step.taken", Step) } });
const warnings = (t: Trial) => t.lines.filter(({ level }) => level === "warn");

describe("the watchdog", () => {
  it("names a handler that runs for over 30 s, once on the log, until it ends", async () => {
    const go = gate();
    const made = service("slow").on(steps.taken, { timeout: "1h" }, async ({ data }) => {
      if (data.key === "a") await go.opened;
    });
    const t = await trial([made]);
    const { id } = await t.app.publish(steps.taken({ key: "a", n: 1 }));
    const begun = t.clock.now();
    await t.clock.advance(29_000);
    expect(t.status("slow").blocked).toBeUndefined();
    for (let n = 2; n < 20; n += 1) {
      await t.app.publish(steps.taken({ key: "b", n }));
      await t.clock.advance(10_000);
    }
    const how = "its handler is still running";
    expect(t.status("slow").blocked).toEqual({ event: id, type: "step.taken", key: "a", since: begun, how });
    expect(warnings(t)).toMatchObject([
      { message: `slow is blocked by step.taken ${id} of key a since ${new Date(begun).toISOString()}: ${how}` },
    ]);
    // The others of the process go on: it stays ready, and says what is held up, without the key.
    const [held] = await laggards(t.running, 60_000);
    expect(held).toMatchObject({ consumer: "slow", state: "blocked", reason: expect.stringContaining(id) });
    expect(held?.reason).not.toContain("of key");
    go.open();
    await t.rest();
    expect(t.status("slow").blocked).toBeUndefined();
  });

  it("names the event that holds the frontier, though its handler runs again and again", async () => {
    const made = service("stubborn").on(
      steps.taken,
      { timeout: "20s", retry: { attemptsInPlace: 50, attemptsMax: 60 } },
      ({ data }) => new Promise<void>((resolve) => void (data.key === "b" && t.clock.after(15_000, resolve))),
    );
    const t: Trial = await trial([made]);
    await t.app.publish(steps.taken({ key: "b", n: 0 }));
    const { id } = await t.app.publish(steps.taken({ key: "a", n: 1 }));
    await t.clock.advance(90_000);
    expect(t.status("stubborn").blocked).toMatchObject({ event: id, key: "a", how: expect.stringContaining("oldest") });
    expect(warnings(t)).toHaveLength(1);
  });

  it("is silent about a backlog that moves, and about a consumer that rests", async () => {
    const made = service("busy").on(steps.taken, { concurrency: 1 }, async () => {
      await new Promise<void>((resolve) => void t.clock.after(5_000, resolve));
    });
    const t: Trial = await trial([made]);
    await t.app.publish(Array.from({ length: 30 }, (_, n) => steps.taken({ key: `k${n % 3}`, n })));
    await t.clock.advance(140_000);
    expect(t.status("busy")).toMatchObject({ inFlight: 1 });
    expect(t.status("busy").blocked).toBeUndefined();
    await t.clock.advance(600_000);
    expect(warnings(t)).toEqual([]);
  });
});
