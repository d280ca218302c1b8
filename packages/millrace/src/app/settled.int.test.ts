import { afterAll, afterEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { event } from "../contract/event.js";
import { topic } from "../contract/topic.js";
import { service } from "../service/declare.js";
import { endTrials } from "../testing/trial.js";
import { dropPlaces, engineAt, trialGrounds } from "../testing/trial-place.js";
import { endRealTrials, realTrial } from "../testing/trial-real.js";

const grounds = await trialGrounds();
afterEach(async () => {
  await endRealTrials();
  await endTrials();
});
afterAll(dropPlaces);

const shape = z.object({ key: z.string(), left: z.int() });
const counts = topic("counts", { key: "key", partitions: 2, events: { counted: event("count.counted", shape) } });

if (grounds.length === 0) console.info("skipped: no PostgreSQL");
describe.each(grounds)("on $name, settled", ({ fresh }) => {
  it("waits for what commits have left for the log, and for all that comes of it", async () => {
    const heard: number[] = [];
    const counting = service("counting")
      .owns(counts)
      .on(counts.counted, { from: "beginning", emits: [counts.counted] }, ({ data: { key, left } }, ctx) => {
        heard.push(left);
        if (left > 0) ctx.publish(counts.counted({ key, left: left - 1 }));
      });
    const { app } = await realTrial({ engine: engineAt(await fresh()), services: [counting] });
    for (let round = 1; round <= 5; round += 1) {
      await app.publish(counts.counted({ key: `k${round}`, left: 4 }));
      await app.settled();
      expect(heard.length).toBe(5 * round);
    }
  }, 60_000);
});
