import { appendFileSync, existsSync, writeFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { z } from "zod";
import { documents } from "../contract/documents.js";
import { event } from "../contract/event.js";
import { topic } from "../contract/topic.js";
import { embedded } from "../embedded/embedded.js";
import { Failure } from "../failure/failure.js";
import { systemClock } from "../runtime/clock.js";
import { silentLogger } from "../runtime/logger.js";
import { service } from "../service/declare.js";
import type { Running } from "./app.js";
import { createApp } from "./create.js";

// A program for members.test.ts: takes part in the folder's file and does what its standard input says, a line of JSON
// each: publish, ask, spin. Answers are lines of JSON, too. With "timers" behind the folder it also arms and hears timers,
// with "publisher" it runs no consumers.

const dir = process.argv[2] ?? "";
const Step = z.object({
  key: z.string(),
  n: z.int(),
  spins: z.int().optional(),
  note: z.string().optional(),
  /** How long its timer waits, in ms. */
  waits: z.int().optional(),
});
const steps = topic("steps", { key: "key", partitions: 8, events: { taken: event("step.taken", Step) } });
const counts = documents("counts", z.object({ id: z.string(), numbers: z.array(z.int()) }), { id: "id" });

const once = { attemptsInPlace: 1, attemptsMax: 1 };
const counting = service("counting").on(
  steps.taken,
  { from: "beginning", timeout: "1h", retry: once },
  async ({ data }, ctx) => {
    if (data.spins === process.pid) {
      writeFileSync(`${dir}/spins`, "");
      while (existsSync(`${dir}/spins`));
    }
    if (data.key.startsWith("dead") && existsSync(`${dir}/broken`)) throw new Failure("EVENT_REJECTED", "broken");
    const before = (await ctx.documents(counts).get(data.key)) ?? { id: data.key, numbers: [] };
    ctx.documents(counts).put({ ...before, numbers: [...before.numbers, data.n] });
  },
);

const echoes = topic("echoes", { key: "key", partitions: 1, events: { echoed: event("step.echoed", Step) } });
// Reads nothing: only the claim of the event keeps its effect from happening twice.
const echoing = service("echoing").on(
  steps.taken,
  { from: "beginning", emits: [echoes.echoed], retry: once },
  ({ data }, ctx) => {
    if (!data.key.startsWith("dead")) ctx.publish(echoes.echoed(data));
  },
);

const Due = z.object({ key: z.string(), n: z.int(), due: z.int() });
const reminders = topic("reminders", { key: "key", partitions: 2, events: { due: event("reminder.due", Due) } });
const reminding = service("reminding")
  .on(steps.taken, { from: "beginning", emits: [reminders.due] }, ({ data: { key, n, waits } }, ctx) => {
    if (waits !== undefined) ctx.after(`${waits}ms`, reminders.due({ key, n, due: ctx.now().getTime() + waits }));
  })
  // Outside of the store, by a clock that nobody sets: when, and by which process.
  .consumer("noting", (c) =>
    c.on(reminders.due, { from: "beginning" }, ({ data: { n, due } }) => {
      const at = Math.floor(performance.timeOrigin + performance.now());
      appendFileSync(`${dir}/fired`, `${JSON.stringify({ n, due, at })}\n`);
    }),
  );

const say = (answer: object) => void process.stdout.write(`${JSON.stringify(answer)}\n`);
let running: Running | undefined;
const app = createApp(
  {
    services: [service("owner").owns(steps), counting, echoing, ...(process.argv[3] === "timers" ? [reminding] : [])],
    engine: embedded(dir),
    logger: silentLogger,
  },
  [
    {
      name: "look",
      start: async (_, seen) => {
        running = seen;
      },
      stop: async () => {},
    },
  ],
);
await app.start(process.argv[3] === "publisher" ? { services: ["owner"] } : {});
say({ started: process.pid });

interface Ask {
  readonly publish?: z.infer<typeof Step>;
  readonly numbers?: readonly string[];
  readonly dead?: true;
  readonly redrive?: true;
  readonly turn?: "pause" | "resume";
  /** Answer when so many milliseconds have passed on the clock. */
  readonly rest?: number;
  readonly echoed?: true;
  readonly stored?: true;
  readonly reminded?: true;
  /** Moves the counting consumer back to the beginning. */
  readonly back?: true;
  readonly stop?: true;
}

async function answer(ask: Ask, { engine, changed, consumers }: Running): Promise<object> {
  const act = { actor: "ann", reason: "a test", at: systemClock.now() };
  const dead = async () => await engine.inspect.entries({ state: "dead", limit: 1_000 });
  const data = async <T>(type: string) =>
    (await engine.inspect.events({ type, limit: 10_000 })).events.map((event) => event.data as T);
  if (ask.numbers !== undefined) {
    const found = await Promise.all(ask.numbers.map((id) => app.documents(counts).get(id)));
    const { partitions = 0, failure } = consumers().find(({ consumer }) => consumer === "counting") ?? {};
    return { numbers: found.map((one) => one?.numbers ?? []), partitions, failure: failure?.code };
  }
  if (ask.dead === true) return { dead: (await dead()).length };
  if (ask.redrive === true) {
    const entries = (await dead()).map(({ entry }) => entry);
    const { job } = await engine.operate.createJob({ entries, selection: "all", force: false, rate: 50 }, act);
    await changed({ jobs: true });
    return { job };
  }
  if (ask.turn !== undefined) {
    const outcome = await engine.operate[ask.turn]("counting", act);
    await changed({ pauses: true });
    return { turned: outcome.changed };
  }
  if (ask.back === true) {
    const outcome = await engine.operate.seek({ consumer: "counting", to: { type: "beginning" }, mute: false }, act);
    await changed({ lanes: outcome.lanes, amended: true, leases: true });
    return { moved: outcome.changed };
  }
  if (ask.stored === true) return { stored: (await data<z.infer<typeof Step>>("step.taken")).map(({ n }) => n) };
  if (ask.echoed === true) return { echoed: (await data<z.infer<typeof Step>>("step.echoed")).map(({ n }) => n) };
  return { reminded: (await data<z.infer<typeof Due>>("reminder.due")).map(({ n }) => n) };
}

for await (const line of createInterface({ input: process.stdin })) {
  const ask = JSON.parse(line) as Ask;
  if (ask.publish !== undefined) {
    const { publish } = ask;
    app.publish(steps.taken(publish)).then(
      ({ offset }) => say({ acked: publish.n, key: publish.key, offset }),
      (error: unknown) => say({ refused: publish.n, why: String(error) }),
    );
  } else if (ask.rest !== undefined) {
    const { rest } = ask;
    systemClock.after(rest, () => say({ rested: rest }));
  } else if (ask.stop === true) {
    await app.stop();
    say({ stopped: true });
    break;
  } else {
    say(await answer(ask, running as Running).catch((error: unknown) => ({ failed: String(error) })));
  }
}
