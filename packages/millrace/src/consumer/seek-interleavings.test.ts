import { afterEach, expect, it } from "vitest";
import { z } from "zod";
import { documents } from "../contract/documents.js";
import { event } from "../contract/event.js";
import { topic } from "../contract/topic.js";
import { partitionOf } from "../log/murmur2.js";
import { service } from "../service/declare.js";
import { endTrials, gate, trial } from "../testing/trial.js";
import { SharedCore } from "../testing/trial-core.js";
import { play, Steps } from "../testing/trial-steps.js";
import { type Choose, everyWay } from "../testing/trial-ways.js";
import { virtualClock } from "../testing/virtual-clock.js";

afterEach(endTrials);

const Step = z.object({ key: z.string() });
const Echo = z.object({ key: z.string(), before: z.boolean() });
const steps = topic("steps", { key: "key", partitions: 2, events: { taken: event("step.taken", Step) } });
const echoes = topic("echoes", { key: "key", partitions: 1, events: { heard: event("echo.heard", Echo) } });
const counts = documents("counts", z.object({ key: z.string(), n: z.int() }), { id: "key" });
const keys = [0, 1].map((home) => [..."abcdef"].find((key) => partitionOf(key, 2) === home) as string);

/** An event in each of two processes is under way, and somewhere on the way the consumer is moved back. */
async function sought(mute: boolean, choose: Choose): Promise<void> {
  const turns = new Steps();
  let moved = false;
  const done: { readonly key: string; readonly before: boolean; readonly moved: boolean }[] = [];
  const stepping = () =>
    service("stepping").on(
      steps.taken,
      { from: "beginning", emits: [echoes.heard] },
      async ({ data: { key } }, ctx) => {
        const before = !moved;
        if (before) await turns.reach(`${key} reads`);
        const n = (await ctx.documents(counts).get(key))?.n ?? 0;
        ctx.documents(counts).put({ key, n: n + 1 });
        ctx.publish(echoes.heard({ key, before }));
        if (before) await turns.reach(`${key} ends`);
      },
    );
  const clock = virtualClock();
  const core = new SharedCore(clock);
  core.onCommit = (units, outcomes) => {
    for (const [index, { effects }] of units.entries()) {
      const write = effects.documents?.[0];
      if (write === undefined || outcomes[index]?.type !== "committed") continue;
      const before = effects.records === undefined ? false : String(effects.records[0]?.data).includes("true");
      done.push({ key: write.id, before, moved });
    }
  };
  const start = (member: string, far?: Steps) =>
    trial([service("host").owns(steps), stepping()], { engine: core.engine(member, far), clock });
  const near = await start("1/near");
  const starting = start("2/far", turns);
  await near.until(() => near.status("stepping").partitions === 1);
  const apps = [near, await starting];
  await near.app.publish(keys.map((key) => steps.taken({ key })));
  const { engine } = near.running;
  const acts = {
    async seek() {
      const act = { actor: "ann", reason: "a wrong sum", at: 1 };
      const seeking = engine.operate.seek({ consumer: "stepping", to: { type: "beginning" }, mute }, act);
      moved = true;
      const { lanes } = await seeking;
      await near.running.changed({ lanes, amended: true, leases: true, timers: true });
    },
  };
  await play({ apps, clock, steps: turns, acts }, choose);

  const how = turns.taken.join(", ");
  expect(
    done.filter((one) => one.before && one.moved),
    `${how}: nothing of the old generation after the move`,
  ).toEqual([]);
  for (const key of keys) {
    const first = done.filter((one) => one.key === key && !one.moved).length;
    expect(
      done.filter((one) => one.key === key && one.moved),
      `${how}: ${key} once more`,
    ).toHaveLength(1);
    expect(await near.app.documents(counts).get(key), how).toEqual({ key, n: first + 1 });
    const { events } = await engine.inspect.events({ type: "echo.heard", key, limit: 9 });
    // Muted, only what had not been done before the move is published after it.
    expect(events, how).toHaveLength(mute ? 1 : first + 1);
  }
  // Where nothing was done, there is no way back: then only what was under way is given up.
  const back = done.some((one) => !one.moved);
  const [view] = await engine.inspect.consumers(clock.now());
  expect(
    view?.positions.map(({ generation }) => generation),
    how,
  ).toEqual(back ? [2, 2] : [1, 1]);
  for (const app of apps) await app.stop();
}

it.each([
  ["", false],
  ["muted", true],
])(
  "a consumer that is moved back %s, at any step of what two processes have under way, handles all once more, and nothing of before is stored late",
  async (_, mute) => {
    const ways = await everyWay((choose) => sought(mute, choose));
    console.info(`${ways} ways`);
    expect(ways).toBeGreaterThan(90);
  },
  240_000,
);

it("moved to where a position stands, a consumer handles again what was done beyond it, out of turn", async () => {
  const held = gate();
  let runs = 0;
  const slow = service("stepping").on(
    steps.taken,
    { from: "beginning", emits: [echoes.heard] },
    async ({ data }, ctx) => {
      runs += 1;
      if (runs === 1) await held.opened;
      ctx.publish(echoes.heard({ ...data, before: false }));
    },
  );
  const t = await trial([service("host").owns(steps), slow]);
  const [first, second] = [..."abcdefghij"].filter((key) => partitionOf(key, 2) === 0) as [string, string];
  await t.app.publish([steps.taken({ key: first }), steps.taken({ key: second })]);
  const heard = async () => (await t.running.engine.inspect.events({ type: "echo.heard", limit: 9 })).events;
  await t.until(async () => (await heard()).length === 1);
  const { operate } = t.running.engine;
  const seek = { consumer: "stepping", to: { type: "beginning" }, mute: false } as const;
  const { lanes } = await operate.seek(seek, { actor: "ann", reason: "a wrong sum", at: 1 });
  await t.running.changed({ lanes, amended: true, leases: true });
  held.open();
  await t.rest();
  expect((await heard()).map(({ key }) => key)).toEqual([second, first, second]);
});
