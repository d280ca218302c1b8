import { jobsKeptMax } from "../store/job-ladder.js";
import type { Act } from "../store/operate.js";
import type { Acting } from "./acting.js";
import { entryColumns } from "./entry-reads.js";
import type { ServicePlace } from "./install.js";
import { timerColumns } from "./timer-reads.js";

/** Of finished jobs, the newest are kept. */
export async function forgetOldJobs(on: Acting): Promise<void> {
  const old = await on.rows<{ job: number }>(
    `DELETE FROM $shared.mr_jobs WHERE job IN (
       SELECT job FROM $shared.mr_jobs WHERE state IN ('done', 'cancelled') ORDER BY job DESC OFFSET ${jobsKeptMax})
     RETURNING job`,
  );
  if (old.length === 0) return;
  for (const table of ["mr_job_items", "mr_job_exports"])
    await on.changeShared(
      `DELETE FROM $shared.${table} WHERE job = ANY($1::bigint[])`,
      old.map(({ job }) => job),
    );
}

/** The job that keeps what an act takes away. */
export async function seekJob(on: Acting, selection: string, act: Act): Promise<number> {
  await forgetOldJobs(on);
  const [made] = await on.rows<{ job: number }>(
    `INSERT INTO $shared.mr_jobs(kind, state, selection, force, allowed, reason, actor, created, finished)
     VALUES ('seek', 'done', $1, false, $2::bigint, $3, $4, $2::bigint, $2::bigint) RETURNING job`,
    selection,
    act.at,
    act.reason,
    act.actor,
  );
  return (made as { job: number }).job;
}

/** The job of an act that was done before, when it took something away. */
export async function seekJobOf(on: Acting, target: string, { at, actor, reason }: Act): Promise<number | undefined> {
  const [found] = await on.rows<{ job: number }>(
    `SELECT job FROM $shared.mr_jobs WHERE kind = 'seek' AND created = $1 AND actor = $2 AND reason = $3 AND starts_with(selection, $4)`,
    at,
    actor,
    reason,
    target,
  );
  return found?.job;
}

/** Where exports go. */
export interface Export {
  readonly place: ServicePlace;
  readonly job: number;
}

const inRanges = `USING unnest($2::text[], $3::int[], $4::bigint[]) AS b(topic, partition, start)
  WHERE t.consumer = $1 AND t.topic = b.topic AND t.partition = b.partition AND t."offset" >= b.start`;

/** Takes lane entries away, and keeps them with the job; `ranges` are a consumer, its topics, partitions and their first offsets. */
export async function exportEntries(
  on: Acting,
  { place, job }: Export,
  ranges: readonly unknown[],
): Promise<readonly { readonly entry: number; readonly lane: string }[]> {
  return on.rows(
    `WITH gone AS (DELETE FROM ${place.schema}.mr_lane_entries AS t ${inRanges}
       RETURNING t.*),
     kept AS (INSERT INTO $shared.mr_job_exports(job, seq, kind, data)
       SELECT $5::bigint, ${lastSeq} + row_number() OVER (ORDER BY entry), 'entry', row_to_json(g)::text
       FROM (SELECT ${entryColumns} FROM gone) AS g)
     SELECT entry, lane FROM gone ORDER BY entry`,
    ...ranges,
    job,
  );
}

/** Takes timers back, and keeps them with the job. */
export async function exportTimers(on: Acting, { place, job }: Export, ranges: readonly unknown[]): Promise<void> {
  const columns = timerColumns.replace("$service", "$6::text");
  await on.changeShared(
    `WITH gone AS (DELETE FROM ${place.schema}.mr_timers AS t ${inRanges} RETURNING t.*)
     INSERT INTO $shared.mr_job_exports(job, seq, kind, data)
     SELECT $5::bigint, ${lastSeq} + row_number() OVER (ORDER BY timer), 'timer', row_to_json(g)::text
     FROM (SELECT ${columns} FROM gone) AS g`,
    ...ranges,
    job,
    place.service,
  );
}

const lastSeq = "(SELECT coalesce(max(seq), 0) FROM $shared.mr_job_exports WHERE job = $5::bigint)";
