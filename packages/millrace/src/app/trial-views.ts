import { z } from "zod";
import { event } from "../contract/event.js";
import { topic } from "../contract/topic.js";
import { projection } from "../projection/projection.js";
import { service } from "../service/declare.js";
import type { Service } from "../service/service.js";

// What builds.test.ts and the processes that it starts have in common.

const Added = z.object({ id: z.string(), n: z.int() });

/** Events of the trial. */
export const steps = topic("steps", {
  key: "id",
  partitions: 8,
  retention: "forever",
  events: { added: event("step.added", Added) },
});

const Sum = z.object({ sum: z.int(), count: z.int(), last: z.int() });

function sums(version: number) {
  return projection("sums", { version, row: Sum, indexes: ["sum"] }).on(
    steps.added,
    (row = { sum: 0, count: 0, last: -1 }, { data }) => {
      if (data.n !== row.last + 1) throw new Error(`${data.id} has ${row.last}, and ${data.n} comes`);
      return { sum: row.sum + data.n, count: row.count + 1, last: data.n };
    },
  );
}

/** Two versions of one projection; the second is built beside the first. */
export const sumsViews = [sums(1), sums(2)] as const;

/** The owner of the events, and the one of the projections. */
export function trialViews(): readonly Service[] {
  return [service("owner").owns(steps), service("views").owns(...sumsViews)];
}
