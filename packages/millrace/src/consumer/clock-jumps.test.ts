import { afterEach, expect, it } from "vitest";
import { z } from "zod";
import { documents } from "../contract/documents.js";
import { event } from "../contract/event.js";
import { topic } from "../contract/topic.js";
import { service } from "../service/declare.js";
import { endTrials, tempFolder, trial } from "../testing/trial.js";

afterEach(endTrials);

const hour = 3_600_000;
const day = 24 * hour;
const Step = z.object({ key: z.string(), n: z.int() });
const steps = topic("steps", {
  key: "key",
  partitions: 3,
  events: { taken: event("step.taken", Step), reminded: event("step.reminded", Step) },
});
const seen = documents("seen", z.object({ key: z.string(), by: z.array(z.int()) }), { id: "key" });
const host = service("host").owns(steps);

/** Notes what it handles; fails each event's first run, so that there is something to retry. */
function hearing() {
  return service("hearing").on(
    steps.taken,
    { from: "beginning", retry: { attemptsInPlace: 1, attemptsMax: 5 } },
    async ({ data }, ctx) => {
      if (ctx.attempt === 1 && data.n % 3 === 0) throw new Error("not the first time");
      const before = (await ctx.documents(seen).get(data.key)) ?? { key: data.key, by: [] };
      ctx.documents(seen).put({ ...before, by: [...before.by, data.n] });
    },
  );
}
const keys = ["a", "b", "c"];

it("a consumer that was down for 60 days handles its backlog, each event once and in order", async () => {
  const first = await trial([host, hearing()], { dir: tempFolder() });
  await first.app.publish(keys.map((key) => steps.taken({ key, n: 0 })));
  await first.rest();
  const alone = await first.again([host]);
  for (let n = 1; n <= 6; n += 1) {
    alone.clock.set(alone.clock.now() + 10 * day);
    await alone.app.publish(keys.map((key) => steps.taken({ key, n })));
  }
  const back = await alone.again([host, hearing()]);
  await back.rest();
  for (const key of keys) expect(await back.app.documents(seen).get(key)).toEqual({ key, by: [0, 1, 2, 3, 4, 5, 6] });
});

it.each([
  ["an hour ahead", hour],
  ["eight days ahead", 8 * day],
  ["400 days ahead", 400 * day],
  ["an hour back", -hour],
  ["400 days back", -400 * day],
])("a clock that is set %s loses, doubles and reorders nothing, and ids are known as before", async (_, byMs) => {
  const t = await trial([host, hearing()]);
  const publish = (n: number) =>
    t.app.publish(
      keys.map((key) => steps.taken({ key, n })),
      { ids: keys.map((key) => `${key}-${n}`) },
    );
  for (let n = 0; n < 4; n += 1) await publish(n);
  t.clock.set(t.clock.now() + byMs);
  // What was published before, once more: also the clock's jump makes no new event of it.
  for (let n = 2; n < 8; n += 1) await publish(n);
  // Whoever set it back sets it right again: a retry that was due by then comes.
  if (byMs < 0) t.clock.set(t.clock.now() - byMs + hour);
  await t.rest();
  for (const key of keys) expect(await t.app.documents(seen).get(key)).toEqual({ key, by: [0, 1, 2, 3, 4, 5, 6, 7] });
  expect(await t.entries()).toEqual([]);
});

it("timers are never early, wherever the clock is set meanwhile", async () => {
  const fired: number[] = [];
  const arming = service("arming")
    .owns(steps)
    .on(steps.taken, { emits: [steps.reminded] }, ({ data }, ctx) => ctx.after("8d", steps.reminded(data)))
    .consumer("noting", (c) => c.on(steps.reminded, (_, ctx) => void fired.push(ctx.now().getTime())));
  const t = await trial([arming]);
  const armed = t.clock.now();
  await t.app.publish(steps.taken({ key: "a", n: 1 }));
  await t.rest();
  for (const at of [armed - 400 * day, armed + 7 * day, armed + 8 * day - hour]) {
    t.clock.set(at);
    await t.clock.advance(hour / 2);
    expect(fired).toEqual([]);
  }
  await t.clock.advance(hour);
  await t.rest();
  expect(fired).toHaveLength(1);
  expect(fired[0]).toBeGreaterThanOrEqual(armed + 8 * day);
});
