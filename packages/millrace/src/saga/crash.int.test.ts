import { afterAll, afterEach, describe, expect, it } from "vitest";
import { seededRandom } from "../runtime/random.js";
import { endTrials } from "../testing/trial.js";
import { audit, type Fire, oneAfterTheOther, sideBySide } from "../testing/trial-bank-lives.js";
import { endLives } from "../testing/trial-lives.js";
import { dropPlaces, type TrialGround, trialGrounds } from "../testing/trial-place.js";
import { endRealTrials } from "../testing/trial-real.js";

const grounds = await trialGrounds();
const seed = Number(process.env.CRASH_SEED ?? Math.floor(performance.timeOrigin));
// Others have what a killed process had after a second and a half, in place of fifteen.
const faults = { postgres: true, leaseMs: 1_500, aliveMs: 200 } as const;

async function fire({ fresh }: TrialGround, kills: number): Promise<Fire> {
  console.log(`crash: seed ${seed} (set CRASH_SEED to repeat it)`);
  return { place: await fresh(), count: 160, kills, random: seededRandom(seed), faults };
}

afterEach(async () => {
  endLives();
  await endRealTrials();
  await endTrials();
});
afterAll(dropPlaces);

if (grounds.length === 0) console.info("skipped: no PostgreSQL");
describe.each(grounds)("a bank on $name", (ground) => {
  it("conserves money and ends every transfer when its process is killed 4 times in the middle of 160", async () => {
    const under = await fire(ground, 4);
    expect(await oneAfterTheOther(under)).toBe(under.count);
    await audit(under);
  }, 120_000);

  it("conserves money and ends every transfer when two processes share the work, and one or the other is killed", async () => {
    const under = await fire(ground, 2);
    await sideBySide(under);
    await audit(under);
  }, 120_000);
});
