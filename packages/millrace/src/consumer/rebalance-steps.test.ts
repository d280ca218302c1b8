import { afterEach, expect, it } from "vitest";
import { z } from "zod";
import { documents } from "../contract/documents.js";
import { event } from "../contract/event.js";
import { topic } from "../contract/topic.js";
import { partitionOf } from "../log/murmur2.js";
import { service } from "../service/declare.js";
import { passWhile } from "../testing/passing-time.js";
import { endTrials, gate, trial } from "../testing/trial.js";
import { SharedCore } from "../testing/trial-core.js";
import { play, Steps } from "../testing/trial-steps.js";
import { type Choose, everyWay } from "../testing/trial-ways.js";
import { virtualClock } from "../testing/virtual-clock.js";

afterEach(endTrials);

const Step = z.object({ key: z.string(), n: z.int() });
const steps = topic("steps", { key: "key", partitions: 2, events: { taken: event("step.taken", Step) } });
const echoes = topic("echoes", { key: "key", partitions: 1, events: { heard: event("echo.heard", Step) } });
const trails = documents("trails", z.object({ key: z.string(), seen: z.array(z.int()) }), { id: "key" });
const keys = [0, 1].map((home) => [..."abcdef"].find((key) => partitionOf(key, 2) === home) as string);

/** A second process joins at some step of a slow handler, which may be slower than 30 s, and than a hand-over waits. */
async function joined(slow: string, choose: Choose): Promise<readonly string[]> {
  const turns = new Steps();
  const [aborted, ran]: [string[], string[]] = [[], []];
  const clock = virtualClock();
  const stepping = (member: string) =>
    service("stepping").on(
      steps.taken,
      { from: "beginning", timeout: "1h", emits: [echoes.heard] },
      async ({ data: { key, n } }, ctx) => {
        ran.push(member);
        const gated = key === slow && n === 1 && member === "near";
        ctx.signal.addEventListener("abort", () => aborted.push(`${key} ${n}`));
        if (gated) await turns.reach("reads");
        // Whoever is given up may not read any more.
        const before = ctx.signal.aborted ? undefined : await ctx.documents(trails).get(key);
        if (gated) await turns.reach("writes");
        if (ctx.signal.aborted) return;
        ctx.documents(trails).put({ key, seen: [...(before?.seen ?? []), n] });
        ctx.publish(echoes.heard({ key, n }));
        if (gated) await turns.reach("ends");
      },
    );
  const core = new SharedCore(clock);
  const start = (member: string) =>
    trial([service("host").owns(steps), stepping(member)], { engine: core.engine(`1/${member}`), clock });
  const near = await start("near");
  const apps = [near];
  await near.app.publish([1, 2].flatMap((n) => keys.map((key) => steps.taken({ key, n }))));
  const acts = {
    joins: async () => void apps.push(await passWhile(clock, start("other"))),
    "31 s pass": () => clock.advance(31_000),
    "11 s pass": () => clock.advance(11_000),
  };
  await play({ apps, clock, steps: turns, acts }, choose);

  const how = turns.taken.join(", ");
  for (const key of keys) {
    expect(await near.app.documents(trails).get(key), how).toEqual({ key, seen: [1, 2] });
    const { events } = await near.running.engine.inspect.events({ type: "echo.heard", key, limit: 9 });
    expect(
      events.map(({ data }) => (data as { n: number }).n),
      how,
    ).toEqual([1, 2]);
  }
  expect(await near.entries(), how).toEqual([]);
  for (const app of apps) expect(app.status("stepping").partitions, how).toBe(1);
  for (const app of apps) await app.stop();
  return aborted;
}

it("a second process may join at each step of a slow handler: every event is applied once, in order, and both have a share", async () => {
  let [ways, given] = [0, 0];
  for (const slow of keys)
    ways += await everyWay(async (choose) => {
      given += (await joined(slow, choose)).length;
    });
  console.info(`${ways} ways, in ${given} of them the event was handed over while its handler ran`);
  expect(ways).toBeGreaterThan(200);
  expect(given).toBeGreaterThan(10);
}, 240_000);

it("a partition that another process waits for is handed over as soon as its last handler has ended", async () => {
  const held = gate();
  const clock = virtualClock();
  const core = new SharedCore(clock);
  let runs = 0;
  const slow = () =>
    service("stepping").on(steps.taken, { from: "beginning" }, async () => {
      runs += 1;
      await held.opened;
    });
  const start = (member: string) =>
    trial([service("host").owns(steps), slow()], { engine: core.engine(`1/${member}`), clock });
  const near = await start("near");
  await near.app.publish(keys.map((key) => steps.taken({ key, n: 1 })));
  await near.until(() => runs === 2);
  const other = await start("other");
  await clock.advance(1_000);
  expect(other.status("stepping").partitions).toBe(0);
  held.open();
  await clock.advance(100);
  expect(other.status("stepping").partitions).toBe(1);
  await other.stop();
  await near.stop();
});
