import { parseQuery } from "../admin/query.js";
import type { EventView } from "../admin/views.js";
import { isFailure } from "../failure/failure.js";
import { type Duration, durationMs } from "../runtime/duration.js";
import { acting, readingStored } from "./connect.js";
import { joined } from "./events.js";
import type { CommonOptions } from "./options.js";
import { type Output, openOutput, readFormat } from "./output.js";
import { safe, shorten, timeOfDay } from "./text.js";
import { wholeNumber } from "./whole-number.js";

interface TailOptions extends CommonOptions {
  readonly last: string;
  readonly limit?: string;
}

/** The process answers a wait after this, or as soon as something fits. */
const waitMs = 20_000;

/** Prints the last events that fit, and each new one as it is committed. */
export async function tail(terms: readonly string[], options: TailOptions): Promise<void> {
  const output = openOutput(readFormat(options.output));
  const query = parseQuery(joined(terms), Date.now());
  const last = options.last === "0" ? 0 : wholeNumber(options.last, "--last");
  let left = options.limit === undefined ? Number.POSITIVE_INFINITY : wholeNumber(options.limit, "--limit");
  const print = (events: readonly EventView[]): void => {
    for (const event of events.slice(0, left)) output.line(lineOf(output, event));
    left -= Math.min(left, events.length);
  };
  const timeout = `${durationMs(options.timeout as Duration, "--timeout") + waitMs}ms`;
  let followed = false;
  try {
    await acting({ dir: options.dir, timeout }, async (admin) => {
      let page = await admin.tail({ query, last });
      followed = true;
      // Appended between marking the end and reading the last ones: those would come twice.
      const begun = new Set(page.events.map(placeOf));
      print(page.events);
      while (left > 0) {
        page = await admin.tail({ query, after: page.cursor, waitMs });
        print(begun.size === 0 ? page.events : page.events.filter((event) => !begun.has(placeOf(event))));
        if (page.events.length > 0) begun.clear();
      }
    });
  } catch (error) {
    if (!followed && isFailure(error, "PROCESS_MISSING")) await lastOfFile(options, { query, last, print });
    throw error;
  }
}

/** Without a process nothing new can come: what is there is shown, and the exit status says that nobody follows. */
async function lastOfFile(
  options: TailOptions,
  what: { query: ReturnType<typeof parseQuery>; last: number; print(events: readonly EventView[]): void },
): Promise<void> {
  await readingStored(options, async (admin) =>
    what.print((await admin.tail({ query: what.query, last: what.last })).events),
  );
}

const placeOf = ({ topic, offset }: EventView): string => `${topic}@${offset}`;

const dataWidth = 120;

function lineOf(output: Output, event: EventView): string {
  if (output.format !== "table") return JSON.stringify(event);
  const data = event.data === undefined ? "(not JSON)" : JSON.stringify(event.data);
  const head = `${output.paint("grey", timeOfDay(event.appended))}  ${output.paint("bold", safe(event.type))}`;
  return `${head}  ${safe(event.key)}  ${safe(event.source)}  ${event.id}  ${safe(shorten(data, dataWidth))}`;
}
