import { afterEach, expect, it } from "vitest";
import { z } from "zod";
import { event } from "../contract/event.js";
import { topic } from "../contract/topic.js";
import { embedded } from "../embedded/embedded.js";
import { Failure } from "../failure/failure.js";
import { service } from "../service/declare.js";
import type { Unit } from "../store/unit.js";
import { faulty } from "../testing/faulty-store.js";
import { endTrials, type Trial, trial } from "../testing/trial.js";

afterEach(endTrials);

const steps = topic("steps", { key: "key", events: { taken: event("step.taken", z.object({ key: z.string() })) } });

async function redrive(t: Trial): Promise<void> {
  const entries = (await t.entries()).map(({ entry }) => entry);
  const { lanes, changed } = await t.running.engine.operate.redrive(entries, { actor: "ann", reason: "again", at: 1 });
  expect(changed).toBe(1);
  await t.running.lanesChanged(lanes);
}

it("a death whose answer was lost, and which is sent again, does not befall the entry that was redriven meanwhile", async () => {
  let [broken, losing, runs] = [true, false, 0];
  const deadly = ({ claim, effects }: Unit) => claim.type === "lane-entry" && effects.change?.state === "dead";
  const engine = faulty(embedded(":memory:"), {
    after(units) {
      if (!losing || !units.some(deadly)) return;
      losing = false;
      throw new Failure("STORE_UNAVAILABLE", "the connection broke before the answer came");
    },
  });
  const stepping = service("stepping").on(steps.taken, { retry: { attemptsMax: 1 } }, () => {
    runs += 1;
    if (broken) throw new Error("broken");
  });
  const t = await trial([stepping], { engine });
  await t.app.publish(steps.taken({ key: "a" }));
  await t.rest();
  losing = true;
  await redrive(t);
  await t.until(() => !losing);
  // It is dead in the store; the process that ran it does not know yet, and will send the same effects again.
  broken = false;
  await redrive(t);
  await t.rest();
  expect([runs, await t.entries()]).toEqual([3, []]);
});
