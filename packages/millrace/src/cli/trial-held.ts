import { appendFileSync, existsSync } from "node:fs";
import { join } from "node:path";
import * as z from "zod";
import { documents } from "../contract/documents.js";
import { command, event } from "../contract/event.js";
import { topic } from "../contract/topic.js";
import { embedded } from "../embedded/embedded.js";
import { millrace } from "../main/millrace.js";
import { systemClock } from "../runtime/clock.js";
import { silentLogger } from "../runtime/logger.js";
import { service } from "../service/declare.js";

const dir = process.env.TRIAL_DIR ?? ".millrace";

/** While this file is in the folder, handlers of events of the second round stand still. */
export const holdFile = "hold";
/** The file in the folder with a line for each of them: the process, and its key. */
export const heldFile = "held";
/** How many keys there are, in four partitions. */
export const keyCount = 16;

const Step = z.object({ key: z.string(), n: z.int() });
const steps = topic("steps", { key: "key", partitions: 4, events: { taken: event("step.taken", Step) } });
const echoes = topic("echoes", { key: "key", partitions: 1, events: { heard: event("echo.heard", Step) } });
const sow = command("sow", z.object({ field: z.string(), n: z.int() }), { key: "field" });
const counts = documents("counts", z.object({ key: z.string(), n: z.int() }), { id: "key" });

async function released(): Promise<void> {
  while (existsSync(join(dir, holdFile))) await new Promise<void>((done) => systemClock.after(10, done));
}

const sowing = service("sowing")
  .owns(steps)
  .handle(sow, { emits: [steps.taken] }, ({ data: { n } }, ctx) => {
    for (let key = 0; key < keyCount; key += 1) ctx.publish(steps.taken({ key: `k${key}`, n }));
  });

const stepping = service("stepping").on(
  steps.taken,
  { from: "beginning", timeout: "1h", emits: [echoes.heard] },
  async ({ data }, ctx) => {
    const before = (await ctx.documents(counts).get(data.key))?.n ?? 0;
    if (data.n === 2 && existsSync(join(dir, holdFile))) {
      appendFileSync(join(dir, heldFile), `${process.pid} ${data.key}\n`);
      await released();
    }
    ctx.documents(counts).put({ key: data.key, n: before + 1 });
    ctx.publish(echoes.heard(data));
  },
);

/** An app for tests that stop time in its handlers, as a module that `millrace start` can start. */
export const app = millrace({ services: [sowing, stepping], engine: embedded(dir), logger: silentLogger });
