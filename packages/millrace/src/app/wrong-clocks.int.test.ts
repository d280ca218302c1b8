import { afterAll, afterEach, describe, expect, it, vi } from "vitest";
import { z } from "zod";
import { event } from "../contract/event.js";
import { topic } from "../contract/topic.js";
import { service } from "../service/declare.js";
import { endTrials } from "../testing/trial.js";
import { dropPlaces, engineAt, trialGrounds } from "../testing/trial-place.js";
import { endRealTrials, realTrial } from "../testing/trial-real.js";

const grounds = await trialGrounds();
afterEach(async () => {
  vi.restoreAllMocks();
  await endRealTrials();
  await endTrials();
});
afterAll(dropPlaces);

const day = 86_400_000;
const bells = topic("bells", {
  key: "key",
  partitions: 2,
  events: {
    wound: event("bell.wound", z.object({ key: z.string(), ms: z.int() })),
    rang: event("bell.rang", z.object({ key: z.string() })),
  },
});

/** From now on this process's clock is off by so much. */
function set(byMs: number): void {
  vi.restoreAllMocks();
  const { now } = Date;
  vi.spyOn(Date, "now").mockImplementation(() => now() + byMs);
}

if (grounds.length === 0) console.info("skipped: no PostgreSQL");
describe.each(grounds)("on $name, processes whose clocks are a day apart", ({ fresh }) => {
  it.each([
    ["ahead", day],
    ["behind", -day],
  ])(
    "fire each other's timers when they are due by the database's clock: one is a day %s",
    async (_, byMs) => {
      const place = await fresh();
      const rang: string[] = [];
      const times: number[] = [];
      const tower = service("tower")
        .on(bells.wound, { from: "beginning", emits: [bells.rang] }, ({ data: { key, ms } }, ctx) => {
          times.push(ctx.now().getTime());
          ctx.after(`${ms}ms`, bells.rang({ key }));
        })
        .on(bells.rang, { from: "beginning" }, ({ data }) => void rang.push(data.key));
      const start = () => realTrial({ engine: engineAt(place), services: [tower] });
      const hour = 3_600_000;

      const right = await start();
      await right.app.publish([
        bells.wound({ key: "hour", ms: hour }),
        bells.wound({ key: "by the wrong one", ms: 1_500 }),
      ]);
      await right.app.settled();
      await right.stop();

      set(byMs);
      const wrong = await start();
      expect(wrong.lines.filter(({ message }) => message.includes("set both by NTP")).length).toBe(1);
      await expect.poll(() => rang, { timeout: 20_000 }).toEqual(["by the wrong one"]);
      await wrong.app.publish(bells.wound({ key: "by the right one", ms: 1_500 }));
      await vi.waitFor(() => expect(times.length).toBe(3), 20_000);
      const clock = (await wrong.running.engine.inspect.doctor()).find(({ check }) => check === "clock");
      expect(clock).toMatchObject({ ok: false, detail: expect.stringContaining("by the database's") });
      await wrong.stop();

      set(0);
      await start();
      await expect.poll(() => rang, { timeout: 20_000 }).toEqual(["by the wrong one", "by the right one"]);
      const now = Date.now();
      for (const time of times) expect(Math.abs(now - time)).toBeLessThan(hour);
    },
    90_000,
  );
});
