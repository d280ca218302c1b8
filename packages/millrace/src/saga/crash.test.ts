import { afterEach, expect, it } from "vitest";
import { seededRandom } from "../runtime/random.js";
import { endTrials, tempFolder } from "../testing/trial.js";
import { audit, type Fire, oneAfterTheOther, sideBySide } from "../testing/trial-bank-lives.js";
import { endLives } from "../testing/trial-lives.js";
import { endRealTrials } from "../testing/trial-real.js";

const seed = Number(process.env.CRASH_SEED ?? Math.floor(performance.timeOrigin));
const fire = (kills: number): Fire => {
  console.log(`crash: seed ${seed} (set CRASH_SEED to repeat it)`);
  return { place: { dir: tempFolder() }, count: 1_200, kills, random: seededRandom(seed) };
};

afterEach(async () => {
  endLives();
  await endRealTrials();
  await endTrials();
});

it("conserves money and ends every transfer when the process is killed 12 times in the middle of 1,200", async () => {
  const under = fire(12);
  expect(await oneAfterTheOther(under)).toBe(under.count);
  await audit(under);
}, 120_000);

it("conserves money and ends every transfer when two processes share the work, and one or the other is killed", async () => {
  const under = fire(4);
  await sideBySide(under);
  await audit(under);
}, 120_000);
