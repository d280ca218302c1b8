import type { Admin } from "../admin/admin.js";
import { parseQuery } from "../admin/query.js";
import type { EventView } from "../admin/views.js";
import type { EventQuery } from "../store/inspect.js";
import { reading } from "./connect.js";
import { deliveryLines } from "./explain.js";
import type { CommonOptions } from "./options.js";
import { type Column, noteOrigin, openOutput, printOne, printRows, readFormat } from "./output.js";
import { moment, safe, shorten } from "./text.js";
import { wholeNumber } from "./whole-number.js";

/** Prints one event with its data, and what each consumer made of it. */
export async function getEvent(id: string, options: CommonOptions): Promise<void> {
  const output = openOutput(readFormat(options.output));
  const detail = await reading(options, (admin) => admin.event({ id }));
  noteOrigin(output, detail);
  printOne(output, detail, () => [...eventLines(detail.event), "", ...deliveryLines(output, detail.deliveries)]);
}

/** An event as lines of name and value, its data last. */
export function eventLines(event: EventView): readonly string[] {
  const { data, ...envelope } = event;
  const lines = Object.entries(envelope).map(([name, value]) => `${name.padEnd(14)} ${safe(String(value))}`);
  if (data !== undefined)
    lines.push(
      "data",
      ...JSON.stringify(data, undefined, 2)
        .split("\n")
        .map((line) => `  ${safe(line)}`),
    );
  return lines;
}

interface SearchOptions extends CommonOptions {
  readonly limit: string;
  readonly oldestFirst?: boolean;
  readonly after?: string;
}

/** Prints the events that a query finds, newest first. */
export async function searchEvents(terms: readonly string[], options: SearchOptions): Promise<void> {
  const output = openOutput(readFormat(options.output));
  const query: EventQuery = {
    ...parseQuery(joined(terms), Date.now()),
    newestFirst: options.oldestFirst !== true,
    limit: wholeNumber(options.limit, "--limit"),
    ...(options.after === undefined ? {} : { after: options.after }),
  };
  const found = await reading(options, (admin) => searchAll(admin, query));
  noteOrigin(output, found);
  printRows(output, { answer: found, rows: found.events, columns: eventColumns, none: "no event fits" });
  if (found.next !== undefined && output.format === "table") output.note(`more: add --after ${found.next}`);
}

/** Each argument is a term or several: a shell may have taken the quotes around a value with a space. */
export function joined(terms: readonly string[]): string {
  return terms
    .map((term) => (/^[\w.]+[:=<>]+[^"]*\s/.test(term) && !/\s[\w.]+[:=<>]/.test(term) ? quoted(term) : term))
    .join(" ");
}

function quoted(term: string): string {
  const [, head = "", value = ""] = /^([\w.]+[:=<>]+)(.*)$/s.exec(term) ?? [];
  return `${head}"${value}"`;
}

/** A page may end early, because one call looks at a bounded part of the log: the next one goes on. */
async function searchAll(admin: Admin, query: EventQuery): ReturnType<Admin["search"]> {
  let page = await admin.search(query);
  const events = [...page.events];
  while (events.length < query.limit && page.next !== undefined) {
    page = await admin.search({ ...query, limit: query.limit - events.length, after: page.next });
    events.push(...page.events);
  }
  return { ...page, events };
}

const dataWidth = 80;

/** How lists show events. */
export const eventColumns: readonly Column<EventView>[] = [
  { name: "TIME (UTC)", text: (event) => moment(event.appended) },
  { name: "TYPE", text: (event) => event.type },
  { name: "KEY", text: (event) => event.key },
  { name: "SOURCE", text: (event) => event.source },
  { name: "ID", text: (event) => event.id },
  {
    name: "DATA",
    text: (event) => shorten(event.data === undefined ? "(not JSON)" : JSON.stringify(event.data), dataWidth),
  },
];
