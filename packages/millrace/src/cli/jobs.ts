import { Failure } from "../failure/failure.js";
import { type Job, type JobChange, type JobItem, type JobItemState, jobItemStates } from "../store/jobs.js";
import { confirm, reasonFor } from "./ask.js";
import { acting, actor, reading } from "./connect.js";
import type { ExitCode } from "./exit.js";
import { watchedExit, watchJobs } from "./jobs-watch.js";
import type { CommonOptions } from "./options.js";
import { type Column, noteOrigin, openOutput, printOne, printRows, readFormat } from "./output.js";
import { duration, plural, safe } from "./text.js";
import { wholeNumber } from "./whole-number.js";

interface ListOptions extends CommonOptions {
  readonly limit: string;
  readonly watch?: boolean;
}

function columnsAt(now: number): readonly Column<Job>[] {
  return [
    { name: "JOB", text: (job) => String(job.job) },
    { name: "AGE", text: (job) => duration(now - job.created) },
    { name: "STATE", text: (job) => job.state },
    { name: "STEP", text: (job) => `${job.step}/${job.steps}` },
    { name: "DONE", text: (job) => `${total(job) - job.items.pending - job.items.redriven}/${total(job)}` },
    { name: "DIED AGAIN", text: (job) => String(job.items.died) },
    { name: "SELECTION", text: (job) => job.selection },
    { name: "REASON", text: (job) => job.note ?? job.reason },
  ];
}

const itemColumns: readonly Column<JobItem>[] = [
  { name: "ENTRY", text: (item) => String(item.entry) },
  { name: "STEP", text: (item) => String(item.step) },
  { name: "CONSUMER", text: (item) => item.consumer },
  { name: "LANE", text: (item) => item.lane },
  { name: "OUTCOME", text: (item) => item.state },
  { name: "DETAIL", text: (item) => item.detail ?? "" },
];

/** Lists jobs, the newest first; with `--watch` when those that run have ended. */
export async function listJobs(options: ListOptions): Promise<ExitCode> {
  const output = openOutput(readFormat(options.output));
  const watched = options.watch === true ? await watchJobs(options, undefined) : [];
  const answer = await reading(options, (admin) => admin.jobs({ limit: wholeNumber(options.limit, "--limit") }));
  noteOrigin(output, answer);
  const columns = columnsAt(Date.parse(answer.asOf));
  printRows(output, { answer, rows: answer.jobs, columns, none: "there is no job" });
  return watchedExit(watched);
}

interface ShowOptions extends ListOptions {
  readonly state?: string;
}

/** Prints one job, and what became of its dead letters; with `--watch` when it has ended. */
export async function showJob(id: string, options: ShowOptions): Promise<ExitCode> {
  const output = openOutput(readFormat(options.output));
  const state = readState(options.state);
  const watched = options.watch === true ? await watchJobs(options, wholeNumber(id, "JOB")) : [];
  const args = {
    job: wholeNumber(id, "JOB"),
    limit: wholeNumber(options.limit, "--limit"),
    ...(state === undefined ? {} : { state }),
  };
  const answer = await reading(options, (admin) => admin.job(args));
  noteOrigin(output, answer);
  if (output.format === "table") for (const line of jobLines(answer.job)) output.line(line);
  const rows = answer.entries;
  printRows(output, { answer, rows, columns: itemColumns, none: "none of its dead letters is listed" });
  return watchedExit(watched);
}

function readState(given: string | undefined): JobItemState | undefined {
  if (given === undefined) return undefined;
  const found = jobItemStates.find((state) => state === given);
  if (found !== undefined) return found;
  throw new Failure("OPTION_INVALID", `--state is ${JSON.stringify(given)}; write one of ${jobItemStates.join(", ")}`, {
    details: { option: "--state" },
  });
}

function jobLines(job: Job): readonly string[] {
  const line = (name: string, value: string): string => `${name.padEnd(10)} ${safe(value)}`;
  const outcomes = Object.entries(job.items).filter(([, n]) => n > 0);
  return [
    line("job", `${job.job}, ${job.kind} ${whatOf(job)}: ${job.selection}`),
    line("state", job.note === undefined ? job.state : `${job.state}: ${job.note}`),
    line("step", `${job.step} of ${job.steps}`),
    line("rate", job.rate === undefined ? "as fast as they are handled" : `${job.rate}/s`),
    line("outcomes", outcomes.map(([state, n]) => `${n} ${state}`).join(", ")),
    line("made", `${new Date(job.created).toISOString()} by ${job.actor}: ${job.reason}`),
    ...(job.finished === undefined ? [] : [line("ended", new Date(job.finished).toISOString())]),
    "",
  ];
}

interface ChangeOptions extends CommonOptions {
  readonly reason?: string;
  readonly dryRun?: boolean;
  readonly yes?: boolean;
}

const done = { pause: "paused", resume: "resumed", cancel: "cancelled", rate: "set the rate of" } as const;

/** Pauses, resumes or cancels a job, or sets its rate. */
export async function changeJob(id: string, change: JobChange, options: ChangeOptions): Promise<void> {
  const output = openOutput(readFormat(options.output));
  const args = { job: wholeNumber(id, "JOB"), change, actor: actor() };
  const preview = await acting(options, (admin) => admin.changeJob({ ...args, reason: "", dryRun: true }));
  const left = `job ${args.job}, which has ${plural(preview.matched, "dead letter")} left`;
  if (options.dryRun === true) {
    printOne(output, preview, () => [`would ${change.type === "rate" ? "set the rate of" : change.type} ${left}`]);
    return;
  }
  const reason = await reasonFor(options, options.reason);
  if (change.type === "cancel") await confirm(options, `cancel ${left}?`);
  const report = await acting(options, (admin) => admin.changeJob({ ...args, reason }));
  printOne(output, report, () => [
    report.changed === 0 ? `job ${args.job} is as it was` : `${done[change.type]} job ${args.job}`,
  ]);
}

/**
 * A rate as people write it: `20/s`, `20`; or `none`, which is no limit.
 *
 * @throws {Failure} OPTION_INVALID
 */
export function readRate(given: string, option: string): number | undefined {
  if (given === "none") return undefined;
  const [, digits, unit = "/s"] = /^(\d+(?:\.\d+)?)(\/s|\/min)?$/.exec(given) ?? [];
  const rate = Number(digits) / (unit === "/min" ? 60 : 1);
  if (Number.isFinite(rate) && rate > 0) return rate;
  throw new Failure("OPTION_INVALID", `${option} is ${JSON.stringify(given)}; write 20/s, 30/min, or none`, {
    details: { option },
  });
}

function whatOf(job: Job): string {
  if (job.kind === "redrive") return `of ${plural(total(job), "dead letter")}`;
  return `that took ${plural(job.exported, "event")} and timers away, see millrace jobs export ${job.job}`;
}

function total(job: Job): number {
  return Object.values(job.items).reduce((sum, n) => sum + n, 0);
}
