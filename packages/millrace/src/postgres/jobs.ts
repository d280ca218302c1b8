import {
  changedTarget,
  firstAllowed,
  isChanged,
  type JobRow,
  leavesAlone,
  noJob,
  onLadder,
  pauseNote,
  redrivesMax,
} from "../store/job-ladder.js";
import type { JobChange, NewJob } from "../store/jobs.js";
import type { Act, ActOutcome } from "../store/operate.js";
import { type Acting, acting, type LaneName, type OperateParts } from "./acting.js";
import { forgetOldJobs } from "./job-exports.js";

/** A dead letter by its place. */
interface Letter extends LaneName {
  readonly entry: number;
}

// "jobs" in ASCII: of two jobs that are made at one time, the second sees what the first has taken.
const makingLock = 0x6a6f6273;

/** Stores a job. Lanes are whole: all entries of one are on one step of the ladder, in order. */
export function createJob(
  parts: OperateParts,
  asked: NewJob,
  act: Act,
): Promise<ActOutcome & { readonly job: number }> {
  return acting(parts, async (on) => {
    await on.rows("SELECT pg_advisory_xact_lock($1, 0)", makingLock);
    const { selection, force, rate } = asked;
    const before = await on.rows<{ job: number }>(
      `SELECT job FROM $shared.mr_jobs WHERE created = $1 AND actor = $2 AND reason = $3 AND selection = $4
         AND rate IS NOT DISTINCT FROM $5::float8`,
      act.at,
      act.actor,
      act.reason,
      selection,
      rate ?? null,
    );
    // Sent again, because its answer was lost.
    if (before[0] !== undefined) return { changed: 0, lanes: [], job: before[0].job };
    await forgetOldJobs(on);
    const [made] = await on.rows<{ job: number }>(
      `INSERT INTO $shared.mr_jobs(kind, state, selection, force, rate, allowed, reason, actor, created)
       VALUES ('redrive', 'running', $1, $2, $3, $4, $5, $6, $7) RETURNING job`,
      selection,
      force,
      rate ?? null,
      firstAllowed(rate, act.at),
      act.reason,
      act.actor,
      act.at,
    );
    const job = (made as { job: number }).job;
    const { letters, lanes } = onLadder(await deadLetters(on, asked.entries));
    const items = await storeItems(on, job, { letters, force });
    await on.audit("redrive", `job ${job}: ${items} dead letters in ${lanes} lanes, ${selection}`, act);
    return { changed: items, lanes: [], job };
  });
}

async function deadLetters(on: Acting, entries: readonly number[]): Promise<Letter[]> {
  const letters: Letter[] = [];
  for (const [place, numbers] of on.byService([...new Set(entries)]))
    letters.push(
      ...(await on.session.objects<Letter>(
        `SELECT entry, consumer, lane FROM ${place.schema}.mr_lane_entries
         WHERE entry = ANY($1::bigint[]) AND state = 'dead'`,
        numbers,
      )),
    );
  return letters.sort((a, b) => a.entry - b.entry);
}

interface Items {
  readonly letters: readonly (Letter & { readonly step: number })[];
  readonly force: boolean;
}

async function storeItems(on: Acting, job: number, { letters, force }: Items): Promise<number> {
  const why = await leftAlone(
    on,
    letters.map(({ entry }) => entry),
    force,
  );
  const details = letters.map(({ entry }) => why(entry));
  return on.changeShared(
    `INSERT INTO $shared.mr_job_items(job, seq, step, entry, consumer, lane, state, detail)
     SELECT $1::bigint, n, step, entry, consumer, lane, CASE WHEN detail IS NULL THEN 'pending' ELSE 'skipped' END, detail
     FROM unnest($2::int[], $3::bigint[], $4::text[], $5::text[], $6::text[]) WITH ORDINALITY
       AS i(step, entry, consumer, lane, detail, n)`,
    job,
    letters.map(({ step }) => step),
    letters.map(({ entry }) => entry),
    letters.map(({ consumer }) => consumer),
    letters.map(({ lane }) => lane),
    details.map((detail) => detail ?? null),
  );
}

/** Tells why a job does not take an entry. */
async function leftAlone(
  on: Acting,
  entries: readonly number[],
  force: boolean,
): Promise<(entry: number) => string | undefined> {
  const taken = await on.rows<{ entry: number; job: number }>(
    `SELECT i.entry, i.job FROM $shared.mr_job_items AS i JOIN $shared.mr_jobs AS j ON j.job = i.job
     WHERE i.entry = ANY($1::bigint[]) AND i.state IN ('pending', 'redriven') AND j.state IN ('running', 'paused')`,
    entries,
  );
  const inVain = force
    ? []
    : await on.rows<{ entry: number; n: number }>(
        `SELECT entry, count(*) AS n FROM $shared.mr_job_items WHERE entry = ANY($1::bigint[]) AND state = 'died'
         GROUP BY entry HAVING count(*) >= ${redrivesMax}`,
        entries,
      );
  return leavesAlone(taken, inVain);
}

/** Changes a job that is not over; one that is as asked for is left alone. */
export function changeJob(parts: OperateParts, job: number, change: JobChange, act: Act): Promise<ActOutcome> {
  return acting(parts, async (on) => {
    const [row] = await on.rows<JobRow>("SELECT job, kind, state FROM $shared.mr_jobs WHERE job = $1 FOR UPDATE", job);
    if (row === undefined) throw noJob(job);
    const changed = isChanged(row, change) ? 0 : await applyChange(on, row, change, act);
    if (changed > 0) await on.audit(`job ${change.type}`, changedTarget(job, change), act);
    return { changed, lanes: [] };
  });
}

async function applyChange(on: Acting, { job, state }: JobRow, change: JobChange, act: Act): Promise<number> {
  switch (change.type) {
    case "pause":
      return on.changeShared(
        "UPDATE $shared.mr_jobs SET state = 'paused', note = $2 WHERE job = $1 AND state = 'running'",
        job,
        pauseNote(act),
      );
    case "resume":
      if (state !== "paused") return 0;
      // What has died so far is known and accepted: the next ones are judged anew.
      await on.changeShared("UPDATE $shared.mr_job_items SET accepted = true WHERE job = $1 AND state = 'died'", job);
      return on.changeShared("UPDATE $shared.mr_jobs SET state = 'running', note = NULL WHERE job = $1", job);
    case "cancel":
      await on.changeShared(
        "UPDATE $shared.mr_job_items SET state = 'skipped', detail = 'the job was cancelled' WHERE job = $1 AND state = 'pending'",
        job,
      );
      return on.changeShared(
        "UPDATE $shared.mr_jobs SET state = 'cancelled', note = NULL, finished = $2 WHERE job = $1",
        job,
        act.at,
      );
    case "rate":
      return on.changeShared(
        "UPDATE $shared.mr_jobs SET rate = $2, allowed = $3 WHERE job = $1",
        job,
        change.rate ?? null,
        firstAllowed(change.rate, act.at),
      );
  }
}
