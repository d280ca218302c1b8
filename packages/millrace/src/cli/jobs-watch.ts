import { setTimeout as pause } from "node:timers/promises";
import type { Admin } from "../admin/admin.js";
import { isFailure } from "../failure/failure.js";
import type { Job } from "../store/jobs.js";
import { acting } from "./connect.js";
import { type ExitCode, exitCodes } from "./exit.js";
import type { CommonOptions } from "./options.js";
import { duration, shorten } from "./text.js";

const restartMs = 15_000;
const everyMs = { terminal: 250, lines: 1_000 } as const;
/** A rate is that of so long, so that it follows what happens and does not jump. */
const rateOverMs = 10_000;
const barWidth = 24;

/** How far a job is. */
export interface Progress {
  readonly job: Job;
  readonly done: number;
  readonly total: number;
  /** Of the last seconds; undefined until something has moved. */
  readonly perSecond: number | undefined;
}

/** Turns what jobs are at several moments into rates. */
export class Rates {
  readonly #seen = new Map<number, { readonly at: number; readonly done: number }[]>();

  /** `now` in ms, of a clock that is not set. */
  progressOf(job: Job, now: number): Progress {
    const total = Object.values(job.items).reduce((sum, n) => sum + n, 0);
    const done = total - job.items.pending - job.items.redriven;
    const seen = this.#seen.get(job.job) ?? [];
    this.#seen.set(job.job, seen);
    while (seen.length > 1 && now - (seen[1] as { at: number }).at >= rateOverMs) seen.shift();
    seen.push({ at: now, done });
    const [first] = seen;
    const moved = first === undefined ? 0 : done - first.done;
    const ms = first === undefined ? 0 : now - first.at;
    return { job, done, total, perSecond: moved > 0 && ms > 0 ? (moved * 1_000) / ms : undefined };
  }
}

const percentOf = ({ done, total }: Progress): number => (total === 0 ? 100 : Math.floor((done * 100) / total));

/** `job 7  52 %  5200/10000  120/s  40 s left`, with a bar in front of the numbers where there is room for one. */
export function progressLine(progress: Progress, bar: boolean): string {
  const { job, done, total, perSecond } = progress;
  const percent = percentOf(progress);
  const filled = Math.round((percent * barWidth) / 100);
  const parts = [
    `job ${job.job}`,
    ...(bar ? [`[${"#".repeat(filled)}${"-".repeat(barWidth - filled)}]`] : []),
    `${percent} %`,
    `${done}/${total}`,
  ];
  if (job.state === "running" && perSecond !== undefined) {
    parts.push(`${perSecond >= 10 ? Math.round(perSecond) : perSecond.toFixed(1)}/s`);
    parts.push(`${duration(((total - done) * 1_000) / perSecond)} left`);
  }
  if (job.items.died > 0) parts.push(`${job.items.died} died again`);
  if (job.state !== "running") parts.push(job.note === undefined ? job.state : `${job.state}: ${job.note}`);
  return parts.join("  ");
}

/** Where progress is drawn: standard error, so that data stays data. */
export interface Screen {
  /** Undefined: not a terminal. */
  readonly columns: number | undefined;
  write(text: string): void;
}

/** Bars that are drawn over each other on a terminal; elsewhere a line when a job begins, per 10 %, and when it ends. */
export class Drawing {
  readonly #screen: Screen;
  readonly #told = new Map<number, string>();
  #lines = 0;

  constructor(screen: Screen) {
    this.#screen = screen;
  }

  draw(all: readonly Progress[]): void {
    if (this.#screen.columns === undefined) for (const progress of all) this.#tell(progress);
    else this.#redraw(all, this.#screen.columns);
  }

  #tell(progress: Progress): void {
    const { job } = progress;
    const told = `${Math.floor(percentOf(progress) / 10)} ${job.state}`;
    if (this.#told.get(job.job) === told) return;
    this.#told.set(job.job, told);
    this.#screen.write(`${progressLine(progress, false)}\n`);
  }

  #redraw(all: readonly Progress[], columns: number): void {
    const up = this.#lines === 0 ? "" : `\u001b[${this.#lines}A`;
    const lines = all.map((progress) => `\u001b[2K${shorten(progressLine(progress, true), columns - 1)}\n`);
    this.#lines = all.length;
    this.#screen.write(up + lines.join(""));
  }
}

/** Follows one job, or all that run, until none does any more. Ends with what they are then. */
export async function watchJobs(options: CommonOptions, job: number | undefined): Promise<readonly Job[]> {
  const { stderr } = process;
  const screen = {
    columns: stderr.isTTY === true ? stderr.columns || 80 : undefined,
    write: (text: string) => stderr.write(text),
  };
  const drawing = new Drawing(screen);
  const rates = new Rates();
  const followed = new Set<number>(job === undefined ? [] : [job]);
  const ask = async (admin: Admin): Promise<readonly Job[]> =>
    job === undefined ? (await admin.jobs({ limit: 1_000 })).jobs : [(await admin.job({ job, limit: 1 })).job];
  for (let seen = performance.now(); ; ) {
    const known = await acting(options, ask).catch((error: unknown) => {
      // It may be starting again. Nobody drives jobs on without a process.
      if (!isFailure(error, "PROCESS_MISSING") || performance.now() - seen > restartMs) throw error;
      return undefined;
    });
    if (known === undefined) {
      await pause(everyMs.lines);
      continue;
    }
    seen = performance.now();
    if (job === undefined) for (const one of known) if (one.state === "running") followed.add(one.job);
    const jobs = known.filter((one) => followed.has(one.job)).sort((a, b) => a.job - b.job);
    drawing.draw(jobs.map((one) => rates.progressOf(one, performance.now())));
    if (jobs.every(({ state }) => state !== "running")) return jobs;
    await pause(screen.columns === undefined ? everyMs.lines : everyMs.terminal);
  }
}

/** 0 when all that was followed is done and nothing died again; else a part was done. */
export function watchedExit(jobs: readonly Job[]): ExitCode {
  return jobs.every(({ state, items }) => state === "done" && items.died === 0) ? exitCodes.ok : exitCodes.partial;
}
