import { decodeItem, decodeJob, type ItemRow, type JobRow } from "../store/job-ladder.js";
import type { Job, JobExport, JobItem, JobItemQuery, JobItemState } from "../store/jobs.js";
import { decodeEntry, decodeTimer, type EntryRow, type TimerRow } from "../store/rows.js";
import type { Sight } from "./sight.js";

const columns = "job, kind, state, note, selection, force, rate, reason, actor, created, finished";

/** Jobs, newest first. */
export async function readJobs(sight: Sight, limit: number): Promise<Job[]> {
  return counted(sight, await sight.rows(`SELECT ${columns} FROM $shared.mr_jobs ORDER BY job DESC LIMIT $1`, limit));
}

/** One job. */
export async function readJob(sight: Sight, job: number): Promise<Job | undefined> {
  const [found] = await counted(sight, await sight.rows(`SELECT ${columns} FROM $shared.mr_jobs WHERE job = $1`, job));
  return found;
}

/** A job's dead letters, in the order of their turns. */
export async function readJobItems(sight: Sight, job: number, { state, limit }: JobItemQuery): Promise<JobItem[]> {
  const rows = await sight.rows<ItemRow>(
    `SELECT entry, consumer, lane, step, state, detail FROM $shared.mr_job_items
     WHERE job = $1 AND ($2::text IS NULL OR state = $2) ORDER BY seq LIMIT $3`,
    job,
    state ?? null,
    limit,
  );
  return rows.map(decodeItem);
}

/** What a job keeps, in order, behind `after`. */
export async function readJobExports(
  sight: Sight,
  job: number,
  { after, limit }: { readonly after: number; readonly limit: number },
): Promise<JobExport[]> {
  const rows = await sight.rows<{ seq: number; kind: string; data: string }>(
    "SELECT seq, kind, data FROM $shared.mr_job_exports WHERE job = $1 AND seq > $2 ORDER BY seq LIMIT $3",
    job,
    after,
    limit,
  );
  return rows.map(({ seq, kind, data }) =>
    kind === "entry"
      ? { seq, kind, entry: decodeEntry(JSON.parse(data) as EntryRow) }
      : { seq, kind: "timer", timer: decodeTimer(JSON.parse(data) as TimerRow) },
  );
}

async function counted(sight: Sight, rows: readonly JobRow[]): Promise<Job[]> {
  if (rows.length === 0) return [];
  const numbers = rows.map(({ job }) => job);
  const items = await sight.rows<{ job: number; state: JobItemState; n: number; first: number; last: number }>(
    `SELECT job, state, count(*) AS n, min(step) AS first, max(step) AS last FROM $shared.mr_job_items
     WHERE job = ANY($1::bigint[]) GROUP BY job, state`,
    numbers,
  );
  const exported = await sight.rows<{ job: number; n: number }>(
    "SELECT job, count(*) AS n FROM $shared.mr_job_exports WHERE job = ANY($1::bigint[]) GROUP BY job",
    numbers,
  );
  return rows.map((row) => {
    const states = items.filter(({ job }) => job === row.job);
    const open = states.filter(({ state }) => state === "pending" || state === "redriven").map(({ first }) => first);
    return decodeJob(row, {
      states,
      now: open.length === 0 ? undefined : Math.min(...open),
      last: Math.max(0, ...states.map(({ last }) => last)),
      exported: exported.find(({ job }) => job === row.job)?.n ?? 0,
    });
  });
}
