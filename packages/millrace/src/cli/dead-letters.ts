import type { ActReport, Admin, EntrySelection } from "../admin/admin.js";
import type { DeadGroupView, EntryView } from "../admin/views.js";
import { Failure } from "../failure/failure.js";
import { confirm, reasonFor } from "./ask.js";
import { acting, actor, reading } from "./connect.js";
import { eventLines } from "./events.js";
import { type ExitCode, exitCodes } from "./exit.js";
import type { CommonOptions } from "./options.js";
import { type Column, noteOrigin, openOutput, printOne, printRows, readFormat } from "./output.js";
import { duration, moment, plural, safe, shorten } from "./text.js";
import { wholeNumber } from "./whole-number.js";

interface ListOptions extends CommonOptions {
  readonly consumer?: string;
  readonly fingerprint?: string;
  readonly parked?: boolean;
  readonly group?: boolean;
  readonly after?: string;
  readonly limit: string;
}

const messageWidth = 90;

function columnsAt(now: number): readonly Column<EntryView>[] {
  return [
    { name: "ENTRY", text: (row) => String(row.entry) },
    { name: "AGE", text: (row) => duration(now - Date.parse(row.since)) },
    { name: "CONSUMER", text: (row) => row.consumer },
    { name: "TYPE", text: (row) => row.event.type },
    { name: "KEY", text: (row) => row.event.key },
    { name: "RUNS", text: (row) => String(row.attempt) },
    { name: "KIND", text: (row) => row.failure?.fingerprint ?? "" },
    { name: "EDITED", text: (row) => (row.edited === undefined ? "no" : "yes") },
    {
      name: "REASON",
      text: (row) =>
        row.failure === undefined ? "" : `${row.failure.code} ${shorten(row.failure.message, messageWidth)}`,
    },
  ];
}

/** Lists dead letters, or with --parked what waits for its next attempt. Those that fail alike have one KIND. */
export async function listDeadLetters(options: ListOptions): Promise<void> {
  if (options.group === true) return listGroups(options);
  const output = openOutput(readFormat(options.output));
  const args = {
    state: options.parked === true ? ("parked" as const) : ("dead" as const),
    limit: wholeNumber(options.limit, "--limit"),
    ...(options.consumer === undefined ? {} : { consumer: options.consumer }),
    ...(options.fingerprint === undefined ? {} : { fingerprint: options.fingerprint }),
    ...(options.after === undefined ? {} : { after: wholeNumber(options.after, "--after") }),
  };
  const answer = await reading(options, (admin) => admin.deadLetters(args));
  noteOrigin(output, answer);
  const columns = columnsAt(Date.parse(answer.asOf));
  printRows(output, { answer, rows: answer.entries, columns, none: `nothing is ${args.state}` });
}

const groupColumns: readonly Column<DeadGroupView>[] = [
  { name: "KIND", text: (row) => row.fingerprint ?? "" },
  { name: "COUNT", text: (row) => String(row.count) },
  { name: "LANES", text: (row) => String(row.keys) },
  { name: "CONSUMERS", text: (row) => row.consumers.join(", ") },
  { name: "FIRST (UTC)", text: (row) => moment(row.first) },
  { name: "LAST (UTC)", text: (row) => moment(row.last) },
  { name: "EXAMPLE", text: (row) => `${row.example.entry} ${row.example.type}` },
  {
    name: "REASON",
    text: ({ example: { failure } }) =>
      failure === undefined ? "" : `${failure.code} ${shorten(failure.message, messageWidth)}`,
  },
];

async function listGroups(options: ListOptions): Promise<void> {
  const output = openOutput(readFormat(options.output));
  if (options.parked === true || options.fingerprint !== undefined || options.after !== undefined)
    throw new Failure("OPTION_INVALID", "--group goes with --consumer and --limit alone", {
      details: { option: "--group" },
    });
  const args = {
    limit: wholeNumber(options.limit, "--limit"),
    ...(options.consumer === undefined ? {} : { consumer: options.consumer }),
  };
  const answer = await reading(options, (admin) => admin.deadGroups(args));
  noteOrigin(output, answer);
  printRows(output, { answer, rows: answer.groups, columns: groupColumns, none: "nothing is dead" });
}

/** Prints one dead letter with its data and the reason why it died. */
export async function showDeadLetter(entry: string, options: CommonOptions): Promise<void> {
  const output = openOutput(readFormat(options.output));
  const number = wholeNumber(entry, "ENTRY");
  const answer = await reading(options, (admin) => admin.deadLetter({ entry: number }));
  noteOrigin(output, answer);
  printOne(output, answer, () => entryLines(answer.entry, answer.followers));
}

function entryLines(entry: EntryView, followers: number): readonly string[] {
  const line = (name: string, value: string): string => `${name.padEnd(14)} ${safe(value)}`;
  const { failure, edited } = entry;
  return [
    line("entry", `${entry.entry}, ${entry.state} since ${entry.since}`),
    line("consumer", entry.consumer),
    line("runs", `${entry.attempt}, redriven ${plural(entry.redrives, "time")}`),
    line("lane", `${entry.lane}${entry.holds ? `, held: ${plural(followers, "event")} waiting` : ", goes on"}`),
    ...(failure === undefined
      ? []
      : [line("failure", `${failure.code} (kind ${failure.fingerprint})`), line("", failure.message)]),
    ...(edited === undefined ? [] : [line("edited", `by ${edited.actor}: ${edited.reason}`)]),
    "",
    ...eventLines(entry.event),
  ];
}

/** Options of what acts on dead letters. */
export interface ActOptions extends CommonOptions {
  readonly consumer?: string;
  readonly fingerprint?: string;
  readonly all?: boolean;
  readonly reason?: string;
  readonly dryRun?: boolean;
  readonly yes?: boolean;
}

/** Amends dead letters away; what waits behind them goes on. */
export async function skipDeadLetters(entries: readonly string[], options: ActOptions): Promise<ExitCode> {
  return act(entries, options, { verb: "skip", done: "skipped", run: (admin, args) => admin.skip(args) });
}

/** Gives dead letters that are named by number another run, in order. */
export async function redriveEntries(entries: readonly string[], options: ActOptions): Promise<ExitCode> {
  return act(entries, options, { verb: "redrive", done: "redrove", run: (admin, args) => admin.redrive(args) });
}

interface Verb {
  readonly verb: string;
  readonly done: string;
  run(admin: Admin, args: Parameters<Admin["redrive"]>[0]): Promise<ActReport>;
}

async function act(entries: readonly string[], options: ActOptions, { verb, done, run }: Verb): Promise<ExitCode> {
  const output = openOutput(readFormat(options.output));
  const chosen = { ...selection(entries, options), actor: actor() };
  const preview = await acting(options, (admin) => run(admin, { ...chosen, reason: "", dryRun: true }));
  const size = `${plural(preview.matched, "dead letter")} in ${plural(preview.keys, "lane")}`;
  if (options.dryRun === true) {
    printOne(output, preview, () => [`would ${verb} ${size}`]);
    return exitCodes.ok;
  }
  if (preview.matched === 0) {
    printOne(output, preview, () => [`nothing to ${verb}`]);
    return exitCodes.ok;
  }
  const reason = await reasonFor(options, options.reason);
  await confirm(options, `${verb} ${size}?`);
  const report = await acting(options, (admin) => run(admin, { ...chosen, reason }));
  printOne(output, report, () => [`${done} ${report.changed} of ${size}`]);
  if (report.changed === report.matched) return exitCodes.ok;
  output.note(`left as they were, because they changed meanwhile: ${report.unchanged.join(", ")}`);
  return report.changed === 0 ? exitCodes.conflict : exitCodes.partial;
}

function selection(entries: readonly string[], options: ActOptions): EntrySelection {
  const { consumer, fingerprint, all } = options;
  if (entries.length > 0 && (consumer ?? fingerprint ?? all) !== undefined) {
    throw new Failure(
      "OPTION_INVALID",
      "name dead letters by number, or by --consumer, --fingerprint or --all, not both",
    );
  }
  return {
    ...(entries.length === 0 ? {} : { entries: entries.map((entry) => wholeNumber(entry, "ENTRY")) }),
    ...(consumer === undefined ? {} : { consumer }),
    ...(fingerprint === undefined ? {} : { fingerprint }),
    ...(all === undefined ? {} : { all }),
  };
}
