import {
  changedTarget,
  decodeItem,
  decodeJob,
  firstAllowed,
  type ItemRow,
  isChanged,
  type JobRow,
  jobsKeptMax,
  leavesAlone,
  noJob,
  onLadder,
  pauseNote,
  redrivesMax,
} from "../store/job-ladder.js";
import type { Job, JobChange, JobItem, JobItemQuery, JobItemState, NewJob } from "../store/jobs.js";
import type { Act, ActOutcome } from "../store/operate.js";
import { audit } from "./audit.js";
import { advanceJob, settleItems } from "./job-ladder.js";
import { all, first, run } from "./query.js";
import type { Database, SqliteValue } from "./sqlite.js";

/** Runs inside a transaction. Lanes are whole: all entries of one are on one step of the ladder, in order. */
export function createJob(database: Database, asked: NewJob, act: Act): ActOutcome & { readonly job: number } {
  const { selection, force, rate } = asked;
  const before = first<{ job: number }>(
    database,
    `SELECT job FROM mr_jobs WHERE created = ? AND actor = ? AND reason = ? AND selection = ? AND rate IS ?`,
    act.at,
    act.actor,
    act.reason,
    selection,
    rate ?? null,
  );
  // Sent again, because its answer was lost.
  if (before !== undefined) return { changed: 0, lanes: [], job: before.job };
  forgetOld(database);
  const made = database
    .prepare(
      `INSERT INTO mr_jobs(kind, state, selection, force, rate, allowed, reason, actor, created)
       VALUES ('redrive', 'running', ?, ?, ?, ?, ?, ?, ?)`,
    )
    .run(selection, force ? 1 : 0, rate ?? null, firstAllowed(rate, act.at), act.reason, act.actor, act.at);
  const job = Number(made.lastInsertRowid);
  const find = database.prepare("SELECT entry, consumer, lane FROM mr_lane_entries WHERE entry = ? AND state = 'dead'");
  const entries = [...new Set(asked.entries)].sort((a, b) => a - b);
  const { letters, lanes } = onLadder(entries.flatMap((entry) => (find.get(entry) as Letter | undefined) ?? []));
  const insert = database.prepare("INSERT INTO mr_job_items VALUES (?, ?, ?, ?, ?, ?, ?, ?, 0)");
  const whyNot = leftAlone(database, force);
  for (const [n, { step, entry, consumer, lane }] of letters.entries()) {
    const why = whyNot(entry);
    insert.run(job, n + 1, step, entry, consumer, lane, why === undefined ? "pending" : "skipped", why ?? null);
  }
  audit(database, "redrive", `job ${job}: ${letters.length} dead letters in ${lanes} lanes, ${selection}`, act);
  return { changed: letters.length, lanes: [], job };
}

/** A dead letter by its place. */
interface Letter {
  readonly entry: number;
  readonly consumer: string;
  readonly lane: string;
}

/** Tells why a job does not take an entry. */
function leftAlone(database: Database, force: boolean): (entry: number) => string | undefined {
  const taken = all<{ entry: number; job: number }>(
    database,
    `SELECT i.entry, i.job FROM mr_job_items AS i JOIN mr_jobs AS j ON j.job = i.job
     WHERE i.state IN ('pending', 'redriven') AND j.state IN ('running', 'paused')`,
  );
  const inVain = all<{ entry: number; n: number }>(
    database,
    "SELECT entry, count(*) AS n FROM mr_job_items WHERE state = 'died' GROUP BY entry HAVING count(*) >= ?",
    redrivesMax,
  );
  return leavesAlone(taken, force ? [] : inVain);
}

/** Runs inside a transaction. */
export function changeJob(
  database: Database,
  { job, change }: { readonly job: number; readonly change: JobChange },
  act: Act,
): ActOutcome {
  const row = first<JobRow>(database, "SELECT * FROM mr_jobs WHERE job = ?", job);
  if (row === undefined) throw noJob(job);
  const changed = isChanged(row, change) ? 0 : applyChange(database, row, change, act);
  if (changed > 0) audit(database, `job ${change.type}`, changedTarget(job, change), act);
  return { changed, lanes: [] };
}

function applyChange(database: Database, { job, state }: JobRow, change: JobChange, act: Act): number {
  switch (change.type) {
    case "pause":
      return run(
        database,
        "UPDATE mr_jobs SET state = 'paused', note = ? WHERE job = ? AND state = 'running'",
        pauseNote(act),
        job,
      );
    case "resume":
      if (state !== "paused") return 0;
      // What has died so far is known and accepted: the next ones are judged anew.
      run(database, "UPDATE mr_job_items SET accepted = 1 WHERE job = ? AND state = 'died'", job);
      return run(database, "UPDATE mr_jobs SET state = 'running', note = NULL WHERE job = ?", job);
    case "cancel":
      run(
        database,
        "UPDATE mr_job_items SET state = 'skipped', detail = 'the job was cancelled' WHERE job = ? AND state = 'pending'",
        job,
      );
      return run(
        database,
        "UPDATE mr_jobs SET state = 'cancelled', note = NULL, finished = ? WHERE job = ?",
        act.at,
        job,
      );
    case "rate":
      return run(
        database,
        "UPDATE mr_jobs SET rate = ?, allowed = ? WHERE job = ?",
        change.rate ?? null,
        firstAllowed(change.rate, act.at),
        job,
      );
  }
}

/** Runs inside a transaction. */
export function advanceJobs(database: Database, now: number): ActOutcome {
  let changed = settleItems(database);
  const lanes: ActOutcome["lanes"][number][] = [];
  const running = "SELECT job, rate, allowed FROM mr_jobs WHERE state = 'running' ORDER BY job";
  for (const row of all<{ job: number; rate: number | null; allowed: number }>(database, running)) {
    const started = advanceJob(database, row, now);
    changed += started.length;
    lanes.push(...started);
  }
  return { changed, lanes };
}

/** Runs inside a transaction: somebody else has dealt with the entries. */
export function leaveJobs(database: Database, which: string, params: readonly SqliteValue[], detail: string): void {
  const sql = `UPDATE mr_job_items SET state = 'gone', detail = ? WHERE ${which} AND state IN ('pending', 'redriven')`;
  run(database, sql, detail, ...params);
}

/** Jobs, newest first. */
export function readJobs(database: Database, limit: number): Job[] {
  return all<JobRow>(database, "SELECT * FROM mr_jobs ORDER BY job DESC LIMIT ?", limit).map((row) =>
    counted(database, row),
  );
}

export function readJob(database: Database, job: number): Job | undefined {
  const row = first<JobRow>(database, "SELECT * FROM mr_jobs WHERE job = ?", job);
  return row === undefined ? undefined : counted(database, row);
}

export function readJobItems(database: Database, job: number, { state, limit }: JobItemQuery): JobItem[] {
  const rows = all<ItemRow>(
    database,
    `SELECT entry, consumer, lane, step, state, detail FROM mr_job_items
     WHERE job = ? AND state = ifnull(?, state) ORDER BY seq LIMIT ?`,
    job,
    state ?? null,
    limit,
  );
  return rows.map(decodeItem);
}

function counted(database: Database, row: JobRow): Job {
  const states = all<{ state: JobItemState; n: number }>(
    database,
    "SELECT state, count(*) AS n FROM mr_job_items WHERE job = ? GROUP BY state",
    row.job,
  );
  const reached = first<{ now: number | null; last: number | null }>(
    database,
    `SELECT min(CASE WHEN state IN ('pending', 'redriven') THEN step END) AS now, max(step) AS last
     FROM mr_job_items WHERE job = ?`,
    row.job,
  );
  const exports = "SELECT count(*) AS n FROM mr_job_exports WHERE job = ?";
  const exported = first<{ n: number }>(database, exports, row.job)?.n ?? 0;
  return decodeJob(row, { states, now: reached?.now, last: reached?.last, exported });
}

/** Runs inside a transaction: of finished jobs, the newest are kept. */
export function forgetOld(database: Database): void {
  const old = `SELECT job FROM mr_jobs WHERE state IN ('done', 'cancelled') ORDER BY job DESC LIMIT -1 OFFSET ${jobsKeptMax}`;
  for (const table of ["mr_job_items", "mr_job_exports"]) run(database, `DELETE FROM ${table} WHERE job IN (${old})`);
  run(database, `DELETE FROM mr_jobs WHERE job IN (${old})`);
}
