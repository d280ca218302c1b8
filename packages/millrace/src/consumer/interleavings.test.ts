import { afterEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { documents } from "../contract/documents.js";
import { event } from "../contract/event.js";
import { topic } from "../contract/topic.js";
import { partitionOf } from "../log/murmur2.js";
import { service } from "../service/declare.js";
import { endTrials, type Trial, trial } from "../testing/trial.js";
import { SharedCore } from "../testing/trial-core.js";
import { play, Steps } from "../testing/trial-steps.js";
import { type Choose, everyWay } from "../testing/trial-ways.js";
import { virtualClock } from "../testing/virtual-clock.js";
import type { Context } from "./handler.js";

afterEach(endTrials);

const Step = z.object({ key: z.string() });
const steps = topic("steps", { key: "key", partitions: 2, events: { taken: event("step.taken", Step) } });
const numbers = documents("numbers", z.object({ id: z.string(), n: z.int() }), { id: "id" });
const seeds = topic("seeds", { key: "key", partitions: 1, events: { sown: event("seed.sown", Step) } });
type Ctx = Context<never>;
const keyIn = (partition: number): string =>
  ["a", "b", "c", "d", "e", "f"].find((key) => partitionOf(key, 2) === partition) as string;
/** Two keys, which are in two partitions. */
const [one, other] = [keyIn(0), keyIn(1)] as const;

/** What a handler does, step by step: each waits for its turn. */
interface Doing {
  readonly key: string;
  read(id: string): Promise<number | undefined>;
  write(id: string, n: number): Promise<void>;
}
interface Race {
  readonly before?: Readonly<Record<string, number>>;
  /** The handler of both events. */
  handle(doing: Doing): Promise<void>;
  /** What is stored at the end, if one runs after the other, whichever is first. */
  readonly serial: readonly Readonly<Record<string, number>>[];
}
type Where = "one process" | "two processes";

/** Two events of different keys, whose handlers take their steps in one of all orders. */
async function race({ before = {}, handle, serial }: Race, where: Where, choose: Choose): Promise<number> {
  const turns = new Steps();
  let runs = 0;
  const stepping = () =>
    service("stepping")
      .on(seeds.sown, { from: "beginning" }, (_, ctx) => {
        for (const [id, n] of Object.entries(before)) ctx.documents(numbers).put({ id, n });
      })
      .on(steps.taken, { from: "beginning" }, async ({ data: { key } }, ctx: Ctx) => {
        runs += 1;
        await handle({
          key,
          async read(id) {
            await turns.reach(`${key} reads ${id}`);
            return (await ctx.documents(numbers).get(id))?.n;
          },
          async write(id, n) {
            await turns.reach(`${key} writes ${id}`);
            ctx.documents(numbers).put({ id, n });
          },
        });
        await turns.reach(`${key} ends`);
      });
  const clock = virtualClock();
  const core = new SharedCore(clock);
  const start = (member: string, far?: Steps) =>
    trial([service("host").owns(steps, seeds), stepping()], { engine: core.engine(member, far), clock });
  const apps: Trial[] = [await start("1/near")];
  const [near] = apps as [Trial];
  await near.app.publish(seeds.sown({ key: "seed" }));
  await near.rest();
  if (where === "two processes") {
    const starting = start("2/far", turns);
    await near.until(() => near.status("stepping").partitions === 2);
    apps.push(await starting);
    for (const app of apps) expect(app.status("stepping").partitions).toBeGreaterThan(0);
  }
  await near.app.publish([one, other].map((key) => steps.taken({ key })));
  await play({ apps, clock, steps: turns, together: "ends" }, choose);
  const ids = [...new Set(serial.flatMap((end) => Object.keys(end)))];
  const stored = await Promise.all(
    ids.map(async (id) => [id, (await near.app.documents(numbers).get(id))?.n] as const),
  );
  const end = Object.fromEntries(stored.filter(([, n]) => n !== undefined));
  expect(serial, turns.taken.join(", ")).toContainEqual(end);
  expect(await near.entries()).toEqual([]);
  for (const app of apps) await app.stop();
  return runs;
}

const races: readonly (readonly [string, Race])[] = [
  [
    "add to the same document",
    {
      before: { sum: 5 },
      handle: async ({ read, write }) => write("sum", ((await read("sum")) ?? 0) + 1),
      serial: [{ sum: 7 }],
    },
  ],
  [
    "may each take one of two away, but never both (write skew)",
    {
      before: { [one]: 1, [other]: 1 },
      async handle({ key, read, write }) {
        const sum = ((await read(one)) ?? 0) + ((await read(other)) ?? 0);
        if (sum === 2) await write(key, 0);
      },
      serial: [
        { [one]: 0, [other]: 1 },
        { [one]: 1, [other]: 0 },
      ],
    },
  ],
  [
    "each make a document that is not there",
    {
      async handle({ key, read, write }) {
        const found = await read("first");
        if (found === undefined) await write("first", key === one ? 1 : 2);
        else await write("second", found);
      },
      serial: [
        { first: 1, second: 1 },
        { first: 2, second: 2 },
      ],
    },
  ],
  [
    "each make one when the other's is not there",
    {
      async handle({ key, read, write }) {
        if ((await read(key === one ? other : one)) === undefined) await write(key, 1);
      },
      serial: [{ [one]: 1 }, { [other]: 1 }],
    },
  ],
];

describe.each<Where>(["one process", "two processes"])(
  "two handlers in %s, in every order of their steps,",
  (where) => {
    it.each(races)(
      "that %s end as if one had run after the other",
      async (_, played) => {
        const runs: number[] = [];
        const ways = await everyWay(async (choose) => void runs.push(await race(played, where, choose)));
        console.info(`${ways} ways, runs: ${Math.min(...runs)} to ${Math.max(...runs)}`);
        expect(ways).toBeGreaterThan(20);
        // Where the steps did not overlap, none ran twice; else the one that came late did, once.
        expect([...new Set(runs)].sort()).toEqual([2, 3]);
      },
      120_000,
    );
  },
);
