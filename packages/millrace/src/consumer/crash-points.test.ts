import { afterEach, expect, it } from "vitest";
import { z } from "zod";
import { documents } from "../contract/documents.js";
import { command, event } from "../contract/event.js";
import { topic } from "../contract/topic.js";
import { embedded } from "../embedded/embedded.js";
import { Failure, isFailure } from "../failure/failure.js";
import { service } from "../service/declare.js";
import { faulty } from "../testing/faulty-store.js";
import { endTrials, type Trial, tempFolder, trial } from "../testing/trial.js";
import { virtualClock } from "../testing/virtual-clock.js";

afterEach(endTrials);

const Step = z.object({ key: z.string(), n: z.int() });
const steps = topic("steps", { key: "key", partitions: 3, events: { taken: event("step.taken", Step) } });
const echoes = topic("echoes", {
  key: "key",
  partitions: 3,
  events: { heard: event("echo.heard", Step), late: event("echo.late", Step) },
});
const poke = command("poke", Step, { key: "key" });
const applied = documents("applied", z.object({ key: z.string(), seen: z.array(z.int()) }), { id: "key" });

/** Everything that a unit of work can ask for, with failures on the way. */
const services = () => [
  service("applying")
    .migrations({ one: "CREATE TABLE rows(key TEXT, n INTEGER)" })
    .on(
      steps.taken,
      { emits: [echoes.heard, echoes.late, poke], retry: { attemptsInPlace: 2, attemptsMax: 4 }, timeout: "10m" },
      async ({ data: { key, n } }, ctx) => {
        const before = (await ctx.documents(applied).get(key)) ?? { key, seen: [] };
        ctx.documents(applied).put({ key, seen: [...before.seen, n] });
        ctx.sql`INSERT INTO rows VALUES (${key}, ${n})`;
        ctx.publish(echoes.heard({ key, n }));
        if (n === 2) ctx.after("1h", echoes.late({ key, n }));
        if (n === 3) ctx.send(poke({ key, n }));
        if (key === "fails-twice" && n === 1 && ctx.attempt <= 2) throw new Error("in place, then parked");
        if (key === "dies" && n === 1) throw new Error("never");
      },
    ),
  service("poked").handle(poke, async ({ data: { key, n } }, ctx) => {
    const id = `poked ${key}`;
    const before = (await ctx.documents(applied).get(id)) ?? { key: id, seen: [] };
    ctx.documents(applied).put({ ...before, seen: [...before.seen, n] });
    return n === 9 ? { refused: "NINE" } : undefined;
  }),
  service("echoing")
    .on(echoes.heard, async ({ data: { key, n } }, ctx) => {
      const before = (await ctx.documents(applied).get(key)) ?? { key, seen: [] };
      ctx.documents(applied).put({ key, seen: [...before.seen, n] });
    })
    .schedule("hourly", { cron: "30 * * * *" }, (tick) => poke({ key: "tick", n: tick.getUTCHours() })),
];
const keys = ["plain", "fails-twice", "dies"];

/** The program dies at its nth commit, before or after that is on disk, and is started again. */
interface Death {
  readonly at: number;
  readonly when: "before" | "after";
}

async function play(death?: Death) {
  const dir = tempFolder();
  const clock = virtualClock(Date.UTC(2026, 0, 1));
  let commits = 0;
  let dead = false;
  const die = (when: Death["when"]) => {
    if (!dead && death?.when === when && death.at === commits) dead = true;
    if (dead) throw new Failure("STORE_UNAVAILABLE", "this program is dead");
  };
  const engine = faulty(embedded(dir), {
    before() {
      commits += 1;
      die("before");
    },
    after() {
      die("after");
    },
  });
  const start = () => trial(services(), { dir, clock, engine });
  let t = await start();
  const revive = async () => {
    if (!dead) return;
    await t.stop();
    dead = false;
    t = await start();
  };
  /** Lets time pass until the promise has settled, over deaths; what was refused is asked for again. */
  const surely = async (ask: () => Promise<unknown>) => {
    for (let done = false; !done; ) {
      let settled = false;
      const asked = ask().then(
        () => {
          done = true;
        },
        (error) => {
          if (!isFailure(error, "STORE_UNAVAILABLE") && !isFailure(error, "APP_STOPPED")) throw error;
        },
      );
      void asked.finally(() => {
        settled = true;
      });
      await t.until(() => settled || dead);
      await revive();
      await asked;
    }
  };
  for (let n = 0; n < 5; n += 1) {
    const send = () => t.app.send(poke({ key: "sent", n: n === 4 ? 9 : n }), { id: `sent-${n}` });
    const publish = (key: string) => t.app.publish(steps.taken({ key, n }), { id: `${key}-${n}` });
    await surely(() => Promise.all([...keys.map(publish), send()]));
  }
  await surely(() => t.app.settled());
  for (let minutes = 0; minutes < 120; minutes += 10) {
    await t.clock.advance(600_000);
    await revive();
  }
  await surely(() => t.app.settled());
  return { commits, state: await stateOf(t), stop: () => t.stop() };
}

/** All that can be seen from outside, in an order that does not hang on chance. */
async function stateOf(t: Trial) {
  const { inspect, store } = t.running.engine;
  const seen: Record<string, unknown> = {};
  for (const name of ["applying", "echoing"])
    for (const key of keys) seen[`${name} ${key}`] = (await t.app.documents(applied, { service: name }).get(key))?.seen;
  for (const key of ["sent", "plain", "fails-twice", "tick"])
    seen[`poked ${key}`] = (await t.app.documents(applied, { service: "poked" }).get(`poked ${key}`))?.seen;
  const { events } = await inspect.events({ limit: 1_000 });
  seen.events = events.map((record) => `${record.type} ${record.key} ${JSON.stringify(record.data)}`).sort();
  seen.ids = events
    .filter((record) => record.type.startsWith("echo"))
    .map((record) => `${record.type} ${record.key}`)
    .sort();
  seen.rows = (await t.app.query`SELECT key, n FROM rows ORDER BY key, n`).map((row) => `${row.key} ${row.n}`);
  seen.entries = (await t.entries()).map(({ state, attempt, record }) => [state, attempt, record.id]);
  seen.operations = [];
  for (let n = 0; n < 5; n += 1) seen[`operation ${n}`] = (await inspect.operation(`sent-${n}`))?.state;
  seen.timers = await store.nextTimer();
  // Every event is in exactly one of applied, parked, dead: nothing is pending.
  seen.pending = (await inspect.consumers(t.clock.now())).map(({ consumer, lagRecords }) => [consumer, lagRecords]);
  return seen;
}

it("ends in the same state wherever the program dies: at every commit, before and after it is on disk", async () => {
  const undisturbed = await play();
  expect(undisturbed.state).toMatchObject({
    "applying plain": [0, 1, 2, 3, 4],
    "applying fails-twice": [0, 1, 2, 3, 4],
    "applying dies": [0],
    "echoing fails-twice": [0, 1, 2, 3, 4],
    "poked sent": [0, 1, 2, 3],
    "poked plain": [3],
    "poked tick": [0, 1],
    "operation 4": "refused",
    entries: [
      ["dead", 4, "dies-1"],
      ["following", 0, "dies-2"],
      ["following", 0, "dies-3"],
      ["following", 0, "dies-4"],
    ],
    pending: [
      ["applying", 0],
      ["echoing", 0],
      ["poked", 0],
    ],
  });
  await undisturbed.stop();
  expect(undisturbed.commits).toBeGreaterThan(25);
  for (let at = 1; at <= undisturbed.commits; at += 1) {
    for (const when of ["before", "after"] as const) {
      const { state, stop } = await play({ at, when });
      expect([{ at, when }, state]).toEqual([{ at, when }, undisturbed.state]);
      await stop();
    }
  }
}, 120_000);
