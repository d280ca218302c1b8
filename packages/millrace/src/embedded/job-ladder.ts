import { Failure } from "../failure/failure.js";
import {
  allowedAfter,
  failingStep as failingOf,
  itemOutcome,
  mayStart,
  nextAllowed,
  type Pace,
  underWayMax,
} from "../store/job-ladder.js";
import type { JobsDue } from "../store/jobs.js";
import type { ActOutcome } from "../store/operate.js";
import { findDeadLetter, redriveLetter } from "./letters.js";
import { all, first, run } from "./query.js";
import type { Database } from "./sqlite.js";

const itemsOfJobs = `SELECT 1 FROM mr_jobs AS j JOIN mr_job_items AS i ON i.job = j.job
  LEFT JOIN mr_lane_entries AS e ON e.entry = i.entry`;
const isSettled = "i.state = 'redriven' AND (e.entry IS NULL OR e.state = 'dead')";

/** Runs inside a transaction: notes what came of the items under way. An entry that is gone has succeeded. */
export function settleItems(database: Database): number {
  const rows = all<{ job: number; seq: number; entry: number | null; failure: string | null }>(
    database,
    `SELECT i.job, i.seq, e.entry, e.failure FROM mr_jobs AS j JOIN mr_job_items AS i ON i.job = j.job
     LEFT JOIN mr_lane_entries AS e ON e.entry = i.entry
     WHERE ${isSettled}`,
  );
  const note = database.prepare("UPDATE mr_job_items SET state = ?, detail = ? WHERE job = ? AND seq = ?");
  for (const { job, seq, entry, failure } of rows) note.run(...itemOutcome(entry, failure), job, seq);
  return rows.length;
}

/** What the jobs of the file wait for; undefined when none of them waits for anything. Costs no transaction. */
export function dueJobs(database: Database): JobsDue | undefined {
  const underWay = first(database, `${itemsOfJobs} WHERE i.state = 'redriven' LIMIT 1`) !== undefined;
  const running = all<Running>(database, "SELECT job, rate, allowed FROM mr_jobs WHERE state = 'running'");
  if (!underWay && running.length === 0) return undefined;
  const settled = underWay && first(database, `${itemsOfJobs} WHERE ${isSettled} LIMIT 1`) !== undefined;
  const at = settled ? 0 : Math.min(...running.map((job) => dueAt(database, job)));
  return { at, underWay };
}

/** When the next item of a job may start: never, while its step waits for what is under way. */
function dueAt(database: Database, { job, rate, allowed }: Running): number {
  const step = lowestStep(database, job);
  if (step === undefined) return 0;
  const items = "SELECT 1 FROM mr_job_items WHERE job = ? AND state = 'pending' AND step = ? LIMIT 1";
  if (first(database, items, job, step) === undefined || placesOf(database, job) <= 0) return Number.POSITIVE_INFINITY;
  return nextAllowed({ rate, allowed });
}

interface Running extends Pace {
  readonly job: number;
}

/** Runs inside a transaction: starts the items whose turn it is, pauses the job, or ends it. Gives the lanes that changed. */
export function advanceJob(database: Database, running: Running, now: number): ActOutcome["lanes"] {
  const { job } = running;
  const step = lowestStep(database, job);
  if (step === undefined) {
    run(database, "UPDATE mr_jobs SET state = 'done', finished = ? WHERE job = ?", now, job);
    return [];
  }
  const failing = failingStep(database, job);
  if (failing !== undefined) {
    run(database, "UPDATE mr_jobs SET state = 'paused', note = ? WHERE job = ?", failing, job);
    return [];
  }
  return start(database, { ...running, step }, now);
}

/** The lowest step that is not over. Both states are looked up where they begin in the index. */
function lowestStep(database: Database, job: number): number | undefined {
  const sql = "SELECT step FROM mr_job_items WHERE job = ? AND state = ? ORDER BY step LIMIT 1";
  const found = ["pending", "redriven"].map((state) => first<{ step: number }>(database, sql, job, state)?.step);
  const reached = found.filter((step) => step !== undefined);
  return reached.length === 0 ? undefined : Math.min(...reached);
}

/** Says so when too many of one step failed again, and nobody has accepted that yet. */
function failingStep(database: Database, job: number): string | undefined {
  // A job may have hundreds of thousands of items: they are counted only where something has died.
  const rows = all<{ step: number; died: number }>(
    database,
    `SELECT step, sum(accepted = 0) AS died FROM mr_job_items WHERE job = ? AND state = 'died' GROUP BY step
     HAVING sum(accepted = 0) > 0`,
    job,
  );
  for (const { step, died } of rows) {
    const { size, over } = first<{ size: number; over: number }>(
      database,
      `SELECT count(*) AS size, sum(state IN ('succeeded', 'died') AND accepted = 0) AS over
       FROM mr_job_items WHERE job = ? AND step = ? AND state <> 'skipped'`,
      job,
      step,
    ) ?? { size: 0, over: 0 };
    const failing = failingOf({ step, died, over, size });
    if (failing !== undefined) return failing;
  }
  return undefined;
}

/** How many more entries of a job may be under way. */
function placesOf(database: Database, job: number): number {
  const sql = "SELECT count(*) AS n FROM mr_job_items WHERE job = ? AND state = 'redriven'";
  return underWayMax - (first<{ n: number }>(database, sql, job)?.n ?? 0);
}

function start(database: Database, due: Running & { readonly step: number }, now: number): ActOutcome["lanes"] {
  const { job, step, rate, allowed } = due;
  const places = placesOf(database, job);
  const items = all<{ seq: number; entry: number; consumer: string; lane: string }>(
    database,
    "SELECT seq, entry, consumer, lane FROM mr_job_items WHERE job = ? AND state = 'pending' AND step = ? ORDER BY seq LIMIT ?",
    job,
    step,
    mayStart({ rate, allowed }, places, now),
  );
  const note = database.prepare("UPDATE mr_job_items SET state = ?, detail = ? WHERE job = ? AND seq = ?");
  const lanes: ActOutcome["lanes"][number][] = [];
  for (const { seq, entry, consumer, lane } of items) {
    const letter = findDeadLetter(database, entry);
    if (letter instanceof Failure) {
      note.run("gone", letter.message, job, seq);
      continue;
    }
    redriveLetter(database, entry, now);
    note.run("redriven", null, job, seq);
    lanes.push({ consumer, lane });
  }
  if (rate !== null && lanes.length > 0) {
    const after = allowedAfter({ rate, allowed }, lanes.length, now);
    run(database, "UPDATE mr_jobs SET allowed = ? WHERE job = ?", after, job);
  }
  return lanes;
}
