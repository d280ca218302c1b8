import { Failure } from "../failure/failure.js";
import type { Job, JobChange, JobItem, JobItemState, JobState } from "./jobs.js";
import type { Act } from "./operate.js";
import type { EntryFailure } from "./unit.js";

/** How many lanes each step has; the last step has the rest. */
const ladder = [1, 5, 20, 100];
/** Of one step: when more of it fail again, the job pauses. */
const failedMax = 0.05;
/** Of a step without end, failures are judged against at least so many. */
const judgedMin = 100;
/** Entries of a job that are under way at one time. */
export const underWayMax = 250;
/** An entry that jobs have redriven so often, in vain, is left alone. */
export const redrivesMax = 3;
/** Finished jobs that are kept. */
export const jobsKeptMax = 100;

/** A row of mr_jobs. */
export interface JobRow {
  readonly job: number;
  readonly kind: Job["kind"];
  readonly state: JobState;
  readonly note: string | null;
  readonly selection: string;
  /** SQLite has no booleans. */
  readonly force: number | boolean;
  readonly rate: number | null;
  readonly reason: string;
  readonly actor: string;
  readonly created: number;
  readonly finished: number | null;
}

/** What is counted of a job's items. `now` is the lowest step that is not over, `last` the highest of all. */
export interface JobCounts {
  readonly states: Iterable<{ readonly state: JobItemState; readonly n: number }>;
  readonly now: number | null | undefined;
  readonly last: number | null | undefined;
  readonly exported: number;
}

/** When the items of a job may start: `allowed` is when the last of those that did would have been due, at its rate. */
export interface Pace {
  readonly rate: number | null;
  readonly allowed: number;
}

/** A step of a ladder. `died`, `over` and `size` leave out what is known and accepted, and what was skipped. */
export interface StepCounts {
  readonly step: number;
  readonly died: number;
  readonly over: number;
  readonly size: number;
}

/** The step of the nth lane, from 0. */
function ladderStep(lane: number): number {
  let end = 0;
  const step = ladder.findIndex((lanes) => {
    end += lanes;
    return lane < end;
  });
  return step < 0 ? ladder.length : step;
}

/** Says so when too many of one step failed again. */
export function failingStep({ step, died, over, size }: StepCounts): string | undefined {
  const judged = Math.max(over, Math.min(size, judgedMin));
  return died > failedMax * judged ? `${died} of ${over} in step ${step + 1} of the ladder died again` : undefined;
}

/** What came of an item that ran again: its entry is gone (`entry` null), or dead with this failure (JSON). */
export function itemOutcome(
  entry: number | null,
  failure: string | null,
): [state: JobItemState, detail: string | null] {
  if (entry === null) return ["succeeded", null];
  if (failure === null) return ["died", null];
  const { code, message } = JSON.parse(failure) as EntryFailure;
  return ["died", `${code}: ${message}`];
}

/** The pace of a job that is made or gets another rate: its first item may start at once. */
export function firstAllowed(rate: number | undefined, now: number): number {
  return rate === undefined ? now : now - 1_000 / rate;
}

/** When the next item may start. */
export function nextAllowed({ rate, allowed }: Pace): number {
  return rate === null ? 0 : Math.ceil(allowed + 1_000 / rate);
}

/** How many items may start now, where `places` are free. */
export function mayStart({ rate, allowed }: Pace, places: number, now: number): number {
  const byRate = rate === null ? places : Math.floor(((now - allowed) * rate) / 1_000);
  return Math.max(0, Math.min(places, byRate));
}

/** `allowed` of a job with a rate after so many have started: what was not used for a while is not made up for. */
export function allowedAfter(
  { rate, allowed }: { rate: number; allowed: number },
  started: number,
  now: number,
): number {
  const idle = Math.max(allowed, now - Math.max(1_000, 1_000 / rate));
  return idle + (started * 1_000) / rate;
}

/** Dead letters on the ladder: all of a lane are on one step, in order; the lane of the first letter comes first. */
export function onLadder<Letter extends { readonly consumer: string; readonly lane: string }>(
  letters: readonly Letter[],
): { readonly letters: readonly (Letter & { readonly step: number })[]; readonly lanes: number } {
  const lanes = new Map<string, Letter[]>();
  for (const letter of letters) {
    const name = JSON.stringify([letter.consumer, letter.lane]);
    const lane = lanes.get(name);
    if (lane === undefined) lanes.set(name, [letter]);
    else lane.push(letter);
  }
  const stepped = [...lanes.values()].flatMap((lane, n) => lane.map((letter) => ({ ...letter, step: ladderStep(n) })));
  return { letters: stepped, lanes: lanes.size };
}

/** Tells why a job does not take an entry: another one has it (`taken`), or so many have redriven it `inVain`. */
export function leavesAlone(
  taken: readonly { readonly entry: number; readonly job: number }[],
  inVain: readonly { readonly entry: number; readonly n: number }[],
): (entry: number) => string | undefined {
  const jobs = new Map(taken.map(({ entry, job }) => [entry, job]));
  const died = new Map(inVain.map(({ entry, n }) => [entry, n]));
  return (entry) => {
    if (jobs.has(entry)) return `job ${jobs.get(entry)} has it`;
    if (died.has(entry)) return `${died.get(entry)} jobs have redriven it in vain; mend it, skip it, or force it`;
    return undefined;
  };
}

/** What is kept as a job's note while an operator has paused it. */
export function pauseNote({ actor, reason }: Act): string {
  return `by ${actor}: ${reason}`;
}

/** There is no job of that number. */
export function noJob(job: number): Failure {
  return new Failure("NOT_FOUND", `there is no job ${job}; see millrace jobs ls`);
}

/**
 * Whether a change of a job is done already: to cancel one that is.
 *
 * @throws {Failure} CONFLICT when the job is over.
 */
export function isChanged({ job, kind, state }: Pick<JobRow, "job" | "kind" | "state">, change: JobChange): boolean {
  if (state !== "done" && state !== "cancelled") return false;
  if (change.type === "cancel" && state === "cancelled") return true;
  const next = kind === "seek" ? "a seek is done at once" : "make a new one: millrace dead-letters redrive";
  throw new Failure("CONFLICT", `job ${job} is ${state}; ${next}`);
}

/** What the audit says that a change of a job was made to. */
export function changedTarget(job: number, change: JobChange): string {
  return change.type === "rate" ? `job ${job} ${change.rate ?? "without limit"}` : `job ${job}`;
}

/** A job, from its row and what is counted of its items. */
export function decodeJob(row: JobRow, { states, now, last, exported }: JobCounts): Job {
  const { note, rate, finished, force, job, kind, state, selection, reason, actor, created } = row;
  const items = { pending: 0, redriven: 0, succeeded: 0, died: 0, gone: 0, skipped: 0 };
  for (const { state: of, n } of states) items[of] = n;
  const steps = (last ?? 0) + 1;
  return {
    job,
    kind,
    state,
    ...(note === null ? {} : { note }),
    selection,
    force: Boolean(force),
    ...(rate === null ? {} : { rate }),
    reason,
    actor,
    created,
    ...(finished === null ? {} : { finished }),
    step: now === null || now === undefined ? steps : now + 1,
    steps,
    items,
    exported,
  };
}

/** A row of mr_job_items, as people see it. */
export function decodeItem({ detail, step, ...item }: ItemRow): JobItem {
  return { ...item, step: step + 1, ...(detail === null ? {} : { detail }) };
}

/** A row of mr_job_items; its steps begin at 0. */
export type ItemRow = Omit<JobItem, "detail"> & { readonly detail: string | null };
