import { existsSync, writeFileSync } from "node:fs";
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
// each: publish, ask, spin. Answers are lines of JSON, too.

const Step = z.object({ key: z.string(), n: z.int(), spins: z.int().optional() });
const steps = topic("steps", { key: "key", partitions: 8, events: { taken: event("step.taken", Step) } });
const counts = documents("counts", z.object({ id: z.string(), numbers: z.array(z.int()) }), { id: "id" });

const once = { attemptsInPlace: 1, attemptsMax: 1 };
const counting = service("counting").on(
  steps.taken,
  { from: "beginning", timeout: "1h", retry: once },
  async ({ data }, ctx) => {
    if (data.spins === process.pid) {
      writeFileSync(`${process.argv[2]}/spins`, "");
      while (existsSync(`${process.argv[2]}/spins`));
    }
    if (data.key.startsWith("dead") && existsSync(`${process.argv[2]}/broken`))
      throw new Failure("EVENT_REJECTED", "broken");
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

const say = (answer: object) => void process.stdout.write(`${JSON.stringify(answer)}\n`);
let running: Running | undefined;
const app = createApp(
  {
    services: [service("owner").owns(steps), counting, echoing],
    engine: embedded(process.argv[2]),
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
await app.start();
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
  readonly stop?: true;
}
for await (const line of createInterface({ input: process.stdin })) {
  const ask = JSON.parse(line) as Ask;
  if (ask.publish !== undefined) {
    const { publish } = ask;
    app.publish(steps.taken(publish)).then(
      ({ offset }) => say({ acked: publish.n, key: publish.key, offset }),
      (error: unknown) => say({ refused: publish.n, why: String(error) }),
    );
  } else if (ask.numbers !== undefined) {
    const found = await Promise.all(ask.numbers.map((id) => app.documents(counts).get(id)));
    const status = running?.consumers().find(({ consumer }) => consumer === "counting");
    say({ numbers: found.map((one) => one?.numbers ?? []), partitions: status?.partitions ?? 0 });
  } else if (ask.dead === true) {
    say({ dead: (await running?.engine.inspect.entries({ state: "dead", limit: 1_000 }))?.length ?? 0 });
  } else if (ask.redrive === true) {
    const entries = (await running?.engine.inspect.entries({ state: "dead", limit: 1_000 }))?.map(({ entry }) => entry);
    const act = { actor: "ann", reason: "a test", at: Date.now() };
    const job = { entries: entries ?? [], selection: "all", force: false, rate: 50 };
    const made = await running?.engine.operate.createJob(job, act);
    await running?.changed({ jobs: true });
    say({ job: made?.job ?? 0 });
  } else if (ask.turn !== undefined) {
    const act = { actor: "ann", reason: "a test", at: Date.now() };
    const outcome = await running?.engine.operate[ask.turn]("counting", act);
    await running?.changed({ pauses: true });
    say({ turned: outcome?.changed ?? 0 });
  } else if (ask.echoed === true) {
    const found = await running?.engine.inspect.events({ type: "step.echoed", limit: 10_000 });
    say({ echoed: found?.events.map(({ data }) => (data as z.infer<typeof Step>).n) ?? [] });
  } else if (ask.rest !== undefined) {
    const { rest } = ask;
    systemClock.after(rest, () => say({ rested: rest }));
  } else if (ask.stop === true) {
    await app.stop();
    say({ stopped: true });
    break;
  }
}
