import type { ConsumerStanding } from "../admin/standing.js";
import { Failure } from "../failure/failure.js";
import { confirm, reasonFor } from "./ask.js";
import { acting, actor, reading } from "./connect.js";
import type { CommonOptions } from "./options.js";
import { type Column, noteOrigin, openOutput, printOne, printRows, readFormat } from "./output.js";
import { count, duration, plural, safe } from "./text.js";

const columns: readonly Column<ConsumerStanding>[] = [
  { name: "CONSUMER", text: (row) => row.consumer },
  { name: "VERDICT", text: (row) => row.verdict },
  { name: "LAG", text: (row) => duration(row.lagMs) },
  { name: "EVENTS", text: (row) => count(row.lagRecords) },
  { name: "IN FLIGHT", text: (row) => count(row.inFlight) },
  { name: "PARKED", text: (row) => count(row.parked) },
  { name: "DEAD", text: (row) => count(row.dead) },
  { name: "WAITING", text: (row) => count(row.following) },
  { name: "REASON", text: (row) => row.reason },
];

/** Lists consumers, those furthest behind first. */
export async function listConsumers(options: CommonOptions): Promise<void> {
  const output = openOutput(readFormat(options.output));
  const answer = await reading(options, (admin) => admin.consumers());
  noteOrigin(output, answer);
  printRows(output, { answer, rows: answer.consumers, columns, none: "no consumer is registered; start the app once" });
}

/** Prints one consumer with its positions. */
export async function showConsumer(name: string, options: CommonOptions): Promise<void> {
  const output = openOutput(readFormat(options.output));
  const answer = await reading(options, (admin) => admin.consumers());
  const found = answer.consumers.find((consumer) => consumer.consumer === name);
  if (found === undefined)
    throw new Failure("NOT_FOUND", `no consumer is registered as ${JSON.stringify(name)}; see: millrace consumers ls`);
  noteOrigin(output, answer);
  const { from, asOf } = answer;
  printOne(output, { from, asOf, ...found }, () => linesOf(found));
}

function linesOf(standing: ConsumerStanding): readonly string[] {
  const line = (name: string, value: string): string => `${name.padEnd(10)} ${safe(value)}`;
  return [
    line("consumer", standing.consumer),
    line("service", standing.service),
    line("verdict", `${standing.verdict}: ${standing.reason}`),
    line("lag", `${duration(standing.lagMs)}, ${plural(standing.lagRecords, "event")}`),
    line("in flight", count(standing.inFlight)),
    line("lanes", `${standing.parked} parked, ${standing.dead} dead, ${standing.following} waiting behind them`),
    ...standing.topics.map(({ topic, types }) => line("hears", `${topic}: ${types.join(", ")}`)),
    ...standing.positions.map(({ topic, partition, frontier, end, generation, epoch, crashes }) =>
      line(
        "position",
        `${topic}/${partition}  ${frontier} of ${end}  generation ${generation}  epoch ${epoch}  crashes ${crashes}`,
      ),
    ),
  ];
}

interface TurnOptions extends CommonOptions {
  readonly reason?: string;
  readonly dryRun?: boolean;
  readonly yes?: boolean;
}

/** Has a consumer start no more runs, in whatever process. */
export async function pauseConsumer(name: string, options: TurnOptions): Promise<void> {
  await turn(name, options, { verb: "pause", done: "paused" });
}

/** Lets a paused consumer go on. */
export async function resumeConsumer(name: string, options: TurnOptions): Promise<void> {
  await turn(name, options, { verb: "resume", done: "resumed" });
}

async function turn(
  name: string,
  options: TurnOptions,
  { verb, done }: { readonly verb: "pause" | "resume"; readonly done: string },
): Promise<void> {
  const output = openOutput(readFormat(options.output));
  const already = verb === "pause" ? `${name} is paused already` : `${name} is not paused`;
  const dryRun = options.dryRun === true;
  const reason = dryRun ? "" : await reasonFor(options, options.reason);
  const report = await acting(options, (admin) => admin[verb]({ consumer: name, actor: actor(), reason, dryRun }));
  printOne(output, report, () => {
    if (report.matched === 0) return [already];
    return [dryRun ? `would ${verb} ${name}` : `${done} ${name}`];
  });
}

interface ForgetOptions extends TurnOptions {
  readonly force?: boolean;
}

/** Removes a consumer's registration, positions, lanes and edits. */
export async function forgetConsumer(name: string, options: ForgetOptions): Promise<void> {
  const output = openOutput(readFormat(options.output));
  const force = options.force === true;
  const args = { consumer: name, actor: actor(), force };
  const preview = await acting(options, (admin) => admin.forget({ ...args, reason: "", dryRun: true }));
  const rows = name.includes("@") ? ", and its rows" : "";
  const named = `${name} and ${plural(preview.keys, "event")} in its lanes${rows}`;
  if (options.dryRun === true) {
    printOne(output, preview, () => [`would forget ${named}`]);
    return;
  }
  const reason = await reasonFor(options, options.reason);
  await confirm(options, `Forget ${named}? This cannot be undone.`);
  const report = await acting(options, (admin) => admin.forget({ ...args, reason }));
  printOne(output, report, () => [`forgot ${name}`]);
}
