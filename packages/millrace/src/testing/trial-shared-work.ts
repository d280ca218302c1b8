import { z } from "zod";
import type { Running } from "../app/app.js";
import { documents } from "../contract/documents.js";
import { event } from "../contract/event.js";
import { topic } from "../contract/topic.js";
import type { LogRecord } from "../log/log.js";
import { service } from "../service/declare.js";

// For tests of processes that share a log and a store on servers.

const Step = z.object({ key: z.string(), n: z.int() });
type Step = z.infer<typeof Step>;
export const steps = topic("steps", { key: "key", partitions: 8, events: { taken: event("step.taken", Step) } });
const echoes = topic("echoes", { key: "key", partitions: 1, events: { echoed: event("step.echoed", Step) } });
/** The numbers that were counted, of a key, in the order of the commits. */
export const counts = documents("counts", z.object({ id: z.string(), numbers: z.array(z.int()) }), { id: "id" });

const once = { attemptsInPlace: 1, attemptsMax: 1 };

/** One consumer writes a document for each key; the other reads nothing: only its claims keep it from doing things twice. */
export function sharedWork(during: (n: number, point: string) => Promise<void> = async () => {}) {
  const counting = service("counting").on(
    steps.taken,
    { from: "beginning", timeout: "1h", retry: once },
    async ({ data: { key, n } }, ctx) => {
      await during(n, "begun");
      const before = (await ctx.documents(counts).get(key)) ?? { id: key, numbers: [] };
      await during(n, "read");
      ctx.documents(counts).put({ ...before, numbers: [...before.numbers, n] });
      await during(n, "written");
    },
  );
  const echoing = service("echoing").on(
    steps.taken,
    { from: "beginning", emits: [echoes.echoed], retry: once },
    ({ data }, ctx) => ctx.publish(echoes.echoed(data)),
  );
  return [service("owner").owns(steps), counting, echoing];
}

/** What a topic of the log has, each event once, a partition after the other. */
export async function loggedIn({ engine }: Running, name: string): Promise<readonly Step[]> {
  const first = new Map<string, LogRecord>();
  const from = (await engine.log.ends(name)).map(() => 0);
  for (;;) {
    const { records, next, atEnd } = await engine.log.read({ topic: name, from, recordsMax: 1_000, bytesMax: 1e8 });
    for (const record of records) if (!first.has(record.id)) first.set(record.id, record);
    for (const [partition, offset] of next.entries()) from[partition] = offset;
    if (atEnd) return [...first.values()].map(({ data }) => data as Step);
  }
}
