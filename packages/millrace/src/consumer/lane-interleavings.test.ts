import { afterEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { documents } from "../contract/documents.js";
import { event } from "../contract/event.js";
import { topic } from "../contract/topic.js";
import type { LogRecord } from "../log/log.js";
import { partitionOf } from "../log/murmur2.js";
import { service } from "../service/declare.js";
import { endTrials, type Trial, trial } from "../testing/trial.js";
import { SharedCore } from "../testing/trial-core.js";
import { play, Steps } from "../testing/trial-steps.js";
import { type Choose, everyWay } from "../testing/trial-ways.js";
import { virtualClock } from "../testing/virtual-clock.js";
import type { Context } from "./handler.js";

afterEach(endTrials);

// Two topics that name the same key share its lanes; their partitions are with different processes.
const Step = z.object({ key: z.string(), n: z.int() });
const left = topic("left", { key: "key", partitions: 1, events: { taken: event("left.taken", Step) } });
const right = topic("right", { key: "key", partitions: 1, events: { taken: event("right.taken", Step) } });
const trails = documents("trails", z.object({ id: z.string(), seen: z.array(z.string()) }), { id: "id" });
const heard = topic("heard", {
  key: "key",
  events: { step: event("step.heard", z.object({ key: z.string(), what: z.string() })) },
});

/** Keys by the process that has the home of their lane. */
const keyAt = (home: number): string =>
  [..."abcdefghij"].find((key) => partitionOf(`key:${key}`, 2) === home) as string;

interface Running {
  readonly apps: readonly [Trial, Trial];
  readonly turns: Steps;
  /** How often a handler was started for each event. */
  readonly runs: Map<string, number>;
  /** Events that were applied although others stood before them in their lane. */
  readonly passed: readonly string[];
}

/** Two processes, one with each topic's partition. Handlers of the events in `failing` throw the first time. */
async function two(failing: ReadonlySet<string>): Promise<Running> {
  const turns = new Steps();
  const runs = new Map<string, number>();
  const clock = virtualClock();
  const core = new SharedCore(clock);
  const queue: string[] = [];
  const passed: string[] = [];
  core.onCommit = (units, outcomes) => {
    for (const [index, { effects }] of units.entries()) {
      if (outcomes[index]?.type !== "committed") continue;
      if (effects.entry !== undefined) queue.push(nameOf(effects.entry.record));
      for (const { data } of effects.records ?? []) {
        const { what } = JSON.parse(String(data)) as { what: string };
        if (queue.length > 0 && queue.shift() !== what) passed.push(what);
      }
    }
  };
  const retry = { attemptsInPlace: 1, attemptsMax: 3, backoffFirst: "1s", backoffMax: "1s" } as const;
  const options = { from: "beginning", retry, emits: [heard.step] } as const;
  const handle = async (what: string, key: string, ctx: Context<"step.heard">) => {
    runs.set(what, (runs.get(what) ?? 0) + 1);
    await turns.reach(`${what} reads`);
    const before = await ctx.documents(trails).get(key);
    await turns.reach(`${what} ends`);
    if (failing.has(what) && runs.get(what) === 1) throw new Error("broken the first time");
    ctx.documents(trails).put({ id: key, seen: [...(before?.seen ?? []), what] });
    ctx.publish(heard.step({ key, what }));
  };
  const stepping = () =>
    service("stepping")
      .on(left.taken, options, ({ data: { key, n } }, ctx) => handle(`left ${n}`, key, ctx))
      .on(right.taken, options, ({ data: { key, n } }, ctx) => handle(`right ${n}`, key, ctx));
  const start = (member: string, far?: Steps) =>
    trial([service("host").owns(left, right), stepping()], { engine: core.engine(member, far), clock });
  const near = await start("1/near");
  const starting = start("2/far", turns);
  await near.until(() => near.status("stepping").partitions === 1);
  return { apps: [near, await starting], turns, runs, passed };
}

const nameOf = ({ type, data }: LogRecord) => `${type.split(".")[0]} ${(data as { n: number }).n}`;

const events = ["left 1", "left 2", "right 1"] as const;

/** All events of one key, two of which may fail at first. */
async function played(key: string, choose: Choose): Promise<void> {
  const failing = new Set(["left 1", "right 1"].filter(() => choose(2) === 1));
  const { apps, turns, runs, passed } = await two(failing);
  const [near] = apps;
  await near.app.publish([left.taken({ key, n: 1 }), left.taken({ key, n: 2 }), right.taken({ key, n: 1 })]);
  await play({ apps, clock: near.clock, steps: turns }, choose);
  const seen = (await near.app.documents(trails).get(key))?.seen ?? [];
  const how = turns.taken.join(", ");
  expect([...seen].sort(), how).toEqual(events);
  expect(
    seen.filter((what) => what.startsWith("left")),
    how,
  ).toEqual(["left 1", "left 2"]);
  const published = (await near.running.engine.inspect.events({ type: "step.heard", limit: 99 })).events;
  expect(
    published.map(({ data }) => (data as { what: string }).what),
    how,
  ).toEqual(seen);
  expect(passed, how).toEqual([]);
  expect(await near.entries(), how).toEqual([]);
  for (const what of failing) expect(runs.get(what), how).toBeGreaterThan(1);
  for (const app of apps) await app.stop();
}

describe.each([
  ["left", 0],
  ["right", 1],
])("two lanes of one key in two processes, with the home in that of %s,", (_, home) => {
  it("take each event once, each topic's in order, and none past one that waits, in every order of their steps, also when first runs fail", async () => {
    const ways = await everyWay((choose) => played(keyAt(home), choose));
    console.info(`${ways} ways`);
    expect(ways).toBeGreaterThan(100);
  }, 240_000);
});
