import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import { freezeFile, frozenFile } from "../testing/faults-freezing.js";
import { endTrials } from "../testing/trial.js";
import { dropPlaces, trialGrounds } from "../testing/trial-place.js";
import { SharedProgram } from "../testing/trial-shared.js";

const grounds = await trialGrounds();
afterEach(async () => {
  await SharedProgram.killAll();
  await endTrials();
});
afterAll(dropPlaces);

const leaseMs = 3_000;
const keys = Array.from({ length: 10 }, (_, n) => `k${n}`);
const keyOf = (n: number) => keys[n % keys.length] as string;

/** Where processes have frozen so far. */
function points(dir: string): readonly string[] {
  const file = join(dir, frozenFile);
  if (!existsSync(file)) return [];
  // What follows the last line break is being written just now.
  const lines = readFileSync(file, "utf8").split("\n").slice(0, -1);
  return lines.map((line) => (JSON.parse(line) as { point: string }).point);
}

/** Resolves when the process stands still. */
async function stopped({ child }: SharedProgram, beside: SharedProgram): Promise<void> {
  const state = () => spawnSync("ps", ["-o", "state=", "-p", String(child.pid)], { encoding: "utf8" }).stdout;
  while (!state().startsWith("T")) await beside.ask();
}

/** Two processes that work side by side. */
interface Pair {
  readonly dir: string;
  readonly victim: SharedProgram;
  readonly other: SharedProgram;
}

async function shared({ victim, other }: Pair): Promise<void> {
  while ((await victim.partitions()) !== 4 || (await other.partitions()) !== 4);
}

/** Publishes through both, while `victim` freezes at each point that it comes to, until it has come to no other one. */
async function freezing(pair: Pair): Promise<number> {
  const { dir, victim, other } = pair;
  let [n, seen, quiet] = [0, 0, 0];
  const waits: number[] = [];
  const wake = async () => {
    await stopped(victim, other);
    const began = performance.now();
    while ((await other.partitions()) !== 8);
    waits.push(performance.now() - began);
    while (performance.now() - began < leaseMs) await other.ask();
    [seen, quiet] = [points(dir).length, 0];
    victim.child.kill("SIGCONT");
  };
  writeFileSync(join(dir, freezeFile), String(victim.child.pid));
  while (quiet < 3) {
    quiet += 1;
    const acks = Array.from({ length: 20 }, () => {
      n += 1;
      return (n % 2 === 0 ? victim : other).ask({ publish: { key: keyOf(n), n } });
    });
    let all = false;
    void Promise.all(acks).then(() => {
      all = true;
    });
    while (!all || points(dir).length > seen)
      if (points(dir).length > seen) await wake();
      else await other.ask();
    for (const ack of await Promise.all(acks)) expect(ack.failed).toBeUndefined();
    if (quiet < 3) await shared(pair);
  }
  rmSync(join(dir, freezeFile));
  console.info(`the other had all partitions after ${waits.map((ms) => Math.round(ms)).join(", ")} ms`);
  return n;
}

/** Everything happened once, and of each key in the order of the log. */
async function expectOnceInOrder(by: SharedProgram, published: number): Promise<void> {
  const numbers = Array.from({ length: published }, (_, index) => index + 1);
  const sorted = (of: readonly number[]) => [...of].sort((a, b) => a - b);
  const echoed = async () => ((await by.ask({ logged: "echoes" })).logged ?? []).map(({ n }) => n);
  while (
    new Set(await echoed()).size < published ||
    ((await by.ask({ counted: keys })).counted ?? []).flat().length < published
  );
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
      const faults = { freeze: place.dir, leaseMs, aliveMs: 300 };
      const [victim, other] = [await SharedProgram.start(place, faults), await SharedProgram.start(place, faults)];
      const pair = { dir: place.dir, victim, other };
      await shared(pair);
      const published = await freezing(pair);
      for (const one of [victim, other]) {
        await expectOnceInOrder(one, published);
        expect((await one.ask()).failure).toBeUndefined();
      }
      const met = points(place.dir);
      console.info(`stopped at: ${met.join(", ")}`);
      for (const point of ["BEGIN", "fence", "main", "COMMIT", "during COMMIT", "after COMMIT"])
        expect(met.some((one) => one.includes(point))).toBe(true);
    }, 240_000);
  },
);
