import { parseQuery } from "../admin/query.js";
import { Failure } from "../failure/failure.js";
import type { SeekStep, SeekTarget } from "../store/seek.js";
import { confirm, reasonFor } from "./ask.js";
import { acting, actor } from "./connect.js";
import type { CommonOptions } from "./options.js";
import { type Column, openOutput, printOne, printRows, readFormat } from "./output.js";
import { plural } from "./text.js";
import { wholeNumber } from "./whole-number.js";

interface SeekOptions extends CommonOptions {
  readonly to: string;
  readonly topic?: string;
  readonly partition?: string;
  readonly mute?: boolean;
  readonly reason?: string;
  readonly dryRun?: boolean;
  readonly yes?: boolean;
}

const columns: readonly Column<SeekStep>[] = [
  { name: "PARTITION", text: (step) => `${step.topic}/${step.partition}` },
  { name: "FROM", text: (step) => String(step.from) },
  { name: "TO", text: (step) => String(step.to) },
  { name: "AGAIN", text: (step) => counted(step, step.again) },
  { name: "SKIPPED", text: (step) => counted(step, step.skipped) },
  { name: "WAITING", text: (step) => String(step.waiting) },
  { name: "TIMERS", text: (step) => String(step.timers) },
];

const counted = ({ exact }: SeekStep, n: number): string => (exact ? String(n) : `${n} or more`);

/** Moves a consumer to another place in its topics. */
export async function seekConsumer(name: string, options: SeekOptions): Promise<void> {
  const output = openOutput(readFormat(options.output));
  const args = {
    consumer: name,
    to: readTarget(options.to, Date.now()),
    mute: options.mute === true,
    actor: actor(),
    ...(options.topic === undefined ? {} : { topic: options.topic }),
    ...(options.partition === undefined ? {} : { partition: wholeNumber(options.partition, "--partition", 0) }),
  };
  const preview = await acting(options, (admin) => admin.seek({ ...args, reason: "", dryRun: true }));
  const sum = (of: (step: SeekStep) => number): number => preview.positions.reduce((n, step) => n + of(step), 0);
  const again = sum((step) => step.again);
  const what = `handle ${plural(again, "event")} again${args.mute ? ", muted" : ""}, and skip ${sum((step) => step.skipped)}`;
  if (options.dryRun === true) {
    const rows = preview.positions;
    printRows(output, { answer: preview, rows, columns, none: "it has no position" });
    if (output.format === "table") output.note(`would ${what}`);
    return;
  }
  const reason = await reasonFor(options, options.reason);
  await confirm(options, `Move ${name}: ${what}?`);
  const report = await acting(options, (admin) => admin.seek({ ...args, reason }));
  printOne(output, report, () => [
    `moved ${name}: it is to ${what}`,
    ...(report.job === undefined
      ? []
      : [`what waited in lanes and timers there is kept: millrace jobs export ${report.job}`]),
  ]);
}

/** beginning, end, an offset, or a time as in a query. */
function readTarget(given: string, now: number): SeekTarget {
  if (given === "beginning" || given === "end") return { type: given };
  if (/^\d+$/.test(given)) return { type: "offset", offset: wholeNumber(given, "--to", 0) };
  try {
    return { type: "time", at: parseQuery(`since:${given}`, now).since as number };
  } catch (cause) {
    throw new Failure(
      "OPTION_INVALID",
      `--to is ${JSON.stringify(given)}; write beginning, end, an offset, 2h (ago), or 2026-01-31T12:00:00Z`,
      { cause, details: { option: "--to" } },
    );
  }
}
