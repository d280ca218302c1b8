import type { Admin, AggregateMoment, AggregateName, AggregateView, BlameView } from "../admin/admin.js";
import { aggregatesOf } from "../admin/aggregates.js";
import type { Change } from "../aggregate/changes.js";
import type { AggregateDefinition } from "../aggregate/definition.js";
import { declarations } from "../app/app.js";
import { Failure, isFailure } from "../failure/failure.js";
import { type Duration, durationMs } from "../runtime/duration.js";
import { reading } from "./connect.js";
import { appFile, loadApp } from "./load.js";
import type { CommonOptions } from "./options.js";
import { type Column, noteOrigin, type Output, openOutput, printOne, printRows, readFormat } from "./output.js";
import { moment, safe } from "./text.js";

interface AggregateOptions extends CommonOptions {
  readonly at?: string;
  readonly diff?: string;
  readonly blame?: string;
  readonly app?: string;
}

/** Prints an aggregate's state, what changed in it, or what changed it. The running process folds it, or the app's code here. */
export async function showAggregate(type: string, id: string, options: AggregateOptions): Promise<void> {
  const output = openOutput(readFormat(options.output));
  const { at, diff, blame } = options;
  if (diff !== undefined && (at !== undefined || blame !== undefined))
    throw new Failure("OPTION_INVALID", "--diff goes without --at and --blame: it names its moments itself", {
      details: { option: "--diff" },
    });
  for (const [option, given, write] of [
    ["--at", at, "a version, a time, or an event's id"],
    ["--blame", blame, "the path of a field, like lines.0.quantity"],
  ] as const)
    if (given?.trim() === "")
      throw new Failure("OPTION_INVALID", `${option} is empty; write ${write}`, { details: { option } });
  const target = { ...options, aggregates: () => loadAggregates(options.app) };
  const ask = <T>(call: (admin: Admin) => Promise<T>): Promise<T> => reading(target, call);
  const name = { type, id };
  if (diff !== undefined) printDiff(output, await ask((admin) => admin.aggregateDiff({ ...name, ...momentsOf(diff) })));
  else {
    const then = at === undefined ? name : { ...name, at: momentOf(at, "--at") };
    if (blame === undefined) printState(output, await ask((admin) => admin.aggregate(then)));
    else printBlame(output, await ask((admin) => admin.aggregateBlame({ ...then, path: blame })));
  }
}

/** @throws {Failure} PROCESS_MISSING when nobody has said where the app is. */
async function loadAggregates(given: string | undefined): Promise<readonly AggregateDefinition[]> {
  let file: string;
  try {
    file = await appFile(given);
  } catch (error) {
    if (given !== undefined || !isFailure(error, "OPTION_INVALID")) throw error;
    throw new Failure(
      "PROCESS_MISSING",
      "no process runs, and a state is folded by the app's own evolve: start it, or name its module, like --app dist/main.js",
      { cause: error },
    );
  }
  return aggregatesOf((await loadApp(file))[declarations] ?? []);
}

function printState(output: Output, answer: Awaited<ReturnType<Admin["aggregate"]>>): void {
  noteOrigin(output, answer);
  printOne(output, answer, () => [output.paint("bold", titleOf(answer)), ...jsonLines(answer.state)]);
}

function titleOf({ type, id, version, time }: AggregateView): string {
  return `${safe(type)} ${safe(id)}  version ${version}${time === undefined ? "" : `  ${moment(time)}`}`;
}

const changeColumns: readonly Column<Change>[] = [
  { name: "PATH", text: ({ path }) => path },
  { name: "FROM", text: ({ from }) => oneLine(from) },
  { name: "TO", text: ({ to }) => oneLine(to) },
];

function printDiff(output: Output, answer: Awaited<ReturnType<Admin["aggregateDiff"]>>): void {
  noteOrigin(output, answer);
  printRows(output, { answer, rows: answer.changes, columns: changeColumns, none: "nothing differs" });
}

function printBlame(output: Output, answer: AggregateName & BlameView & Parameters<typeof noteOrigin>[1]): void {
  noteOrigin(output, answer);
  const { change, event } = answer;
  const { data, ...envelope } = event;
  printOne(output, answer, () => [
    output.paint("bold", `${safe(change.path)}: ${oneLine(change.from)} became ${oneLine(change.to)}`),
    ...Object.entries(envelope).map(([name, value]) => `${name.padEnd(14)} ${safe(String(value))}`),
    "data",
    ...jsonLines(data).map((line) => `  ${line}`),
  ]);
}

function jsonLines(value: unknown): readonly string[] {
  return (JSON.stringify(value, undefined, 2) ?? "undefined").split("\n").map(safe);
}

function oneLine(value: unknown): string {
  return safe(value === undefined ? "(none)" : JSON.stringify(value));
}

/** `a..b`, where an empty `a` is the beginning and an empty `b` is now. */
function momentsOf(text: string): { readonly from: AggregateMoment; readonly to?: AggregateMoment } {
  const [, from, to] = /^(.*?)\.\.(.*)$/s.exec(text) ?? [];
  if (from === undefined || to === undefined)
    throw new Failure("OPTION_INVALID", `--diff is ${JSON.stringify(text)}; write two moments: 3..5, 2h.., ..3`, {
      details: { option: "--diff" },
    });
  const begin = from === "" ? { version: 0 } : momentOf(from, "--diff");
  return to === "" ? { from: begin } : { from: begin, to: momentOf(to, "--diff") };
}

/** A version is digits, a time is a length of time ago or begins with a date; anything else is an event's id. */
function momentOf(text: string, option: string): AggregateMoment {
  if (/^\d{1,15}$/.test(text)) return { version: Number(text) };
  if (/^\d+(\.\d+)?(ms|s|m|h|d)$/.test(text)) return { time: Date.now() - durationMs(text as Duration, option) };
  if (!/^\d{4}-\d\d-\d\d(T|$)/.test(text)) return { before: text };
  const time = Date.parse(text);
  if (!Number.isNaN(time)) return { time };
  throw new Failure("OPTION_INVALID", `${option}: ${JSON.stringify(text)} is no time; write 2026-01-31T12:00:00Z`, {
    details: { option },
  });
}
