import type { JobExport } from "../store/jobs.js";
import type { Act } from "../store/operate.js";
import { decodeEntry, decodeTimer, type EntryRow, type TimerRow } from "../store/rows.js";
import { forgetOld } from "./jobs.js";
import { all, first, run } from "./query.js";
import type { Database } from "./sqlite.js";

/** Events of one consumer in one partition, from an offset on. */
export interface Range {
  readonly consumer: string;
  readonly topic: string;
  readonly partition: number;
  readonly from: number;
}

const columns = {
  entry: "entry, consumer, lane, home, state, holds, attempt, due, redrives, since, failure, record",
  timer: "timer, service, name, due, record, consumer, topic, partition, offset",
} as const;
const tables = { entry: "mr_lane_entries", timer: "mr_timers" } as const;
const where = "consumer = ? AND topic = ? AND partition = ? AND offset >= ?";

/** How many events wait in lanes, or timers that they have armed. */
export function countOf(database: Database, kind: JobExport["kind"], range: Range): number {
  const sql = `SELECT count(*) AS n FROM ${tables[kind]} WHERE ${where}`;
  return first<{ n: number }>(database, sql, ...placeOf(range))?.n ?? 0;
}

/** The job that keeps what an act takes away. */
export function seekJob(database: Database, selection: string, act: Act): number {
  forgetOld(database);
  const made = database
    .prepare(
      `INSERT INTO mr_jobs(kind, state, selection, force, allowed, reason, actor, created, finished)
       VALUES ('seek', 'done', ?, 0, ?, ?, ?, ?, ?)`,
    )
    .run(selection, act.at, act.reason, act.actor, act.at, act.at);
  return Number(made.lastInsertRowid);
}

/** The job of an act that was done before, when it took something away. */
export function seekJobOf(database: Database, target: string, { at, actor, reason }: Act): number | undefined {
  const sql = `SELECT job FROM mr_jobs WHERE kind = 'seek' AND created = ? AND actor = ? AND reason = ?
    AND substr(selection, 1, length(?)) = ?`;
  return first<{ job: number }>(database, sql, at, actor, reason, target, target)?.job;
}

/** Takes them away, and keeps them with the job. */
export function takeAway(database: Database, kind: JobExport["kind"], job: number, range: Range): void {
  const place = placeOf(range);
  const fields = columns[kind].split(", ").map((name) => `'${name}', ${name}`);
  const last = first<{ seq: number | null }>(database, "SELECT max(seq) AS seq FROM mr_job_exports WHERE job = ?", job);
  run(
    database,
    `INSERT INTO mr_job_exports SELECT ?, ? + row_number() OVER (ORDER BY ${kind}), ?, json_object(${fields.join(", ")})
     FROM ${tables[kind]} WHERE ${where}`,
    job,
    last?.seq ?? 0,
    kind,
    ...place,
  );
  run(database, `DELETE FROM ${tables[kind]} WHERE ${where}`, ...place);
}

/** What a job keeps, in order, behind `after`. */
export function readJobExports(
  database: Database,
  job: number,
  { after, limit }: { readonly after: number; readonly limit: number },
): JobExport[] {
  const sql = "SELECT seq, kind, data FROM mr_job_exports WHERE job = ? AND seq > ? ORDER BY seq LIMIT ?";
  return all<{ seq: number; kind: string; data: string }>(database, sql, job, after, limit).map(
    ({ seq, kind, data }) =>
      kind === "entry"
        ? { seq, kind, entry: decodeEntry(JSON.parse(data) as EntryRow) }
        : { seq, kind: "timer", timer: decodeTimer(JSON.parse(data) as TimerRow) },
  );
}

function placeOf({ consumer, topic, partition, from }: Range): [string, string, number, number] {
  return [consumer, topic, partition, from];
}
