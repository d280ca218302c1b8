import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import { freezeFile } from "../testing/faults-freezing.js";
import { endTrials } from "../testing/trial.js";
import { points, stopped } from "../testing/trial-frozen.js";
import { dropPlaces, trialGrounds } from "../testing/trial-place.js";
import { SharedProgram } from "../testing/trial-shared.js";

const grounds = await trialGrounds();
afterEach(async () => {
  await SharedProgram.killAll();
  await endTrials();
});
afterAll(dropPlaces);

const leaseMs = 1_500;
const keys = Array.from({ length: 10 }, (_, n) => `k${n}`);
const keyOf = (n: number) => keys[n % keys.length] as string;

/** Two processes that work side by side. */
interface Pair {
  readonly dir: string;
  readonly victim: SharedProgram;
  readonly other: SharedProgram;
}

async function shared({ victim, other }: Pair): Promise<void> {
  while ((await victim.partitions()) !== 4 || (await other.partitions()) !== 4);
}

/** How many numbers are counted, as one of them sees it. */
async function countedBy(one: SharedProgram): Promise<number> {
  return ((await one.ask({ counted: keys })).counted ?? []).flat().length;
}

/** Resolves with the promise; wherever the victim freezes meanwhile, it is woken when the other has taken its partitions. */
async function waking({ dir, victim, other }: Pair, seen: Set<string>, promise: Promise<unknown>): Promise<void> {
  let over = false;
  const done = promise.finally(() => {
    over = true;
  });
  done.catch(() => undefined);
  while (!over) {
    await other.ask();
    if (points(dir).length === seen.size) continue;
    await stopped(victim, () => other.ask());
    const began = performance.now();
    while ((await other.partitions()) !== 8);
    while (performance.now() - began < leaseMs) await other.ask();
    for (const point of points(dir)) seen.add(point);
    victim.child.kill("SIGCONT");
  }
  await done;
}

/** Publishes through both, while `victim` freezes at each point that it comes to, until it has come to no other one. */
async function freezing(pair: Pair): Promise<void> {
  const { dir, victim, other } = pair;
  const seen = new Set<string>();
  let n = 0;
  const round = async () => {
    const acks = Array.from({ length: 20 }, () => {
      n += 1;
      return (n % 2 === 0 ? victim : other).ask({ publish: { key: keyOf(n), n } });
    });
    for (const ack of await Promise.all(acks)) expect(ack.failed).toBeUndefined();
    while ((await countedBy(other)) < n);
    await shared(pair);
  };
  writeFileSync(join(dir, freezeFile), String(victim.child.pid));
  for (let quiet = 0; quiet < 3; quiet += 1) {
    const before = seen.size;
    await waking(pair, seen, round());
    if (seen.size > before) quiet = 0;
  }
  rmSync(join(dir, freezeFile));
  for (const one of [other, victim]) await waking(pair, seen, expectOnceInOrder(one, n));
}

/** Everything happened once, and of each key in the order of the log. */
async function expectOnceInOrder(by: SharedProgram, published: number): Promise<void> {
  const numbers = Array.from({ length: published }, (_, index) => index + 1);
  const sorted = (of: readonly number[]) => [...of].sort((a, b) => a - b);
  const echoed = async () => ((await by.ask({ logged: "echoes" })).logged ?? []).map(({ n }) => n);
  while (new Set(await echoed()).size < published || (await countedBy(by)) < published);
  expect(sorted(await echoed())).toEqual(numbers);
  const { counted = [] } = await by.ask({ counted: keys });
  const { logged = [] } = await by.ask({ logged: "steps" });
  for (const [index, key] of keys.entries())
    expect([key, counted[index]]).toEqual([key, logged.filter((one) => one.key === key).map(({ n }) => n)]);
  expect(sorted(counted.flat())).toEqual(numbers);
}

if (grounds.length === 0) console.info("skipped: no PostgreSQL");
describe.each(grounds)(
  "a process on $name that is stopped at each statement of a commit, and goes on after its lease",
  ({ fresh }) => {
    it("loses, doubles and reorders nothing, and the other takes its partitions meanwhile", async () => {
      const place = await fresh();
      const faults = { freeze: place.dir, leaseMs, aliveMs: 200 };
      const [victim, other] = [await SharedProgram.start(place, faults), await SharedProgram.start(place, faults)];
      const pair = { dir: place.dir, victim, other };
      await shared(pair);
      await freezing(pair);
      for (const one of [victim, other]) expect((await one.ask()).failure).toBeUndefined();
      const met = points(place.dir);
      console.info(`stopped at: ${met.join(", ")}`);
      for (const point of ["BEGIN", "fence", "main", "COMMIT", "during COMMIT", "after COMMIT"])
        expect(met.some((one) => one.includes(point))).toBe(true);
    }, 240_000);
  },
);
