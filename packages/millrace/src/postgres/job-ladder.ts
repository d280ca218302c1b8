import { notDead } from "../store/dead-letter.js";
import {
  allowedAfter,
  failingStep,
  itemOutcome,
  mayStart,
  nextAllowed,
  type Pace,
  type StepCounts,
  underWayMax,
} from "../store/job-ladder.js";
import type { JobsDue } from "../store/jobs.js";
import type { ActOutcome } from "../store/operate.js";
import { type Acting, acting, type LaneName, type OperateParts } from "./acting.js";
import { lockLetters, redriveLetters } from "./letters.js";
import type { Sight } from "./sight.js";

interface Running extends Pace {
  readonly job: number;
}

/** The lowest step of a job that is not over, whether items of it wait for their turn, and how many are under way. */
interface Standing {
  readonly step: number | null;
  readonly waits: boolean;
  readonly underway: number;
}

/** Both states are looked up where they begin in the index. */
const standing = (job: string) => `
  SELECT step, underway, EXISTS (SELECT 1 FROM $shared.mr_job_items WHERE job = ${job} AND state = 'pending' AND step = s.step) AS waits
  FROM (SELECT least(
      (SELECT step FROM $shared.mr_job_items WHERE job = ${job} AND state = 'pending' ORDER BY step LIMIT 1),
      (SELECT step FROM $shared.mr_job_items WHERE job = ${job} AND state = 'redriven' ORDER BY step LIMIT 1)) AS step,
    (SELECT count(*) FROM $shared.mr_job_items WHERE job = ${job} AND state = 'redriven') AS underway) AS s`;

/** What the jobs of all services wait for; undefined when none of them waits for anything. */
export async function dueJobs(sight: Sight): Promise<JobsDue | undefined> {
  const jobs = await sight.rows<Running & Standing & { readonly state: string }>(
    `SELECT j.job, j.state, j.rate, j.allowed, s.* FROM $shared.mr_jobs AS j, LATERAL (${standing("j.job")}) AS s
     WHERE j.state NOT IN ('done', 'cancelled')
       OR EXISTS (SELECT 1 FROM $shared.mr_job_items WHERE job = j.job AND state = 'redriven')`,
  );
  const underWay = jobs.some(({ underway }) => underway > 0);
  const running = jobs.filter(({ state }) => state === "running");
  if (!underWay && running.length === 0) return undefined;
  const settled = underWay && (await readSettled(sight)).length > 0;
  const at = settled ? 0 : Math.min(...running.map(dueAt));
  return { at, underWay };
}

/** When the next item of a job may start: never, while its step waits for what is under way. */
function dueAt({ step, waits, underway, ...pace }: Running & Standing): number {
  if (step === null) return 0;
  if (!waits || underway >= underWayMax) return Number.POSITIVE_INFINITY;
  return nextAllowed(pace);
}

/** Notes what came of the items under way and starts those whose turn it is, each job in a commit of its own. */
export async function advanceJobs(parts: OperateParts, now: number): Promise<ActOutcome> {
  let changed = await acting(parts, settleItems);
  const lanes: LaneName[] = [];
  const running = await acting(parts, (on) =>
    on.rows<{ job: number }>("SELECT job FROM $shared.mr_jobs WHERE state = 'running' ORDER BY job"),
  );
  for (const { job } of running) {
    const started = await acting(parts, (on) => advanceJob(on, job, now));
    changed += started.length;
    lanes.push(...started);
  }
  return { changed, lanes };
}

interface Settled {
  readonly job: number;
  readonly seq: number;
  readonly entry: number | null;
  readonly failure: string | null;
}

/** Items under way whose entry is gone, or dead again. They are read first: an entry is as it was then, or later. */
async function readSettled(sight: Sight): Promise<Settled[]> {
  const items = await sight.rows<{ job: number; seq: number; entry: number }>(
    "SELECT job, seq, entry FROM $shared.mr_job_items WHERE state = 'redriven' AND job IN (SELECT job FROM $shared.mr_jobs)",
  );
  if (items.length === 0) return [];
  const rows = await sight.all<{ entry: number; state: string; failure: string | null }>(
    "SELECT entry, state, failure FROM $schema.mr_lane_entries WHERE entry = ANY($1::bigint[])",
    {},
    items.map(({ entry }) => entry),
  );
  const entries = new Map(rows.map((row) => [row.entry, row]));
  return items.flatMap(({ job, seq, entry }) => {
    const row = entries.get(entry);
    if (row !== undefined && row.state !== "dead") return [];
    return [{ job, seq, entry: row === undefined ? null : entry, failure: row?.failure ?? null }];
  });
}

/** Notes what came of the items under way. An entry that is gone has succeeded. */
async function settleItems(on: Acting): Promise<number> {
  const settled = await readSettled(on);
  if (settled.length === 0) return 0;
  const outcomes = settled.map(({ entry, failure }) => itemOutcome(entry, failure));
  return on.changeShared(
    `UPDATE $shared.mr_job_items AS i SET state = o.state, detail = o.detail
     FROM unnest($1::bigint[], $2::int[], $3::text[], $4::text[]) AS o(job, seq, state, detail)
     WHERE i.job = o.job AND i.seq = o.seq AND i.state = 'redriven'`,
    settled.map(({ job }) => job),
    settled.map(({ seq }) => seq),
    outcomes.map(([state]) => state),
    outcomes.map(([, detail]) => detail),
  );
}

/** Starts the items whose turn it is, pauses the job, or ends it. Gives the lanes that changed. */
async function advanceJob(on: Acting, job: number, now: number): Promise<readonly LaneName[]> {
  // The process that has the row does all of it: another one that comes meanwhile has nothing to do.
  const [running] = await on.rows<Running>(
    "SELECT job, rate, allowed FROM $shared.mr_jobs WHERE job = $1 AND state = 'running' FOR UPDATE SKIP LOCKED",
    job,
  );
  if (running === undefined) return [];
  const [stands] = await on.rows<Standing>(standing("$1::bigint"), job);
  if (stands === undefined || stands.step === null) {
    await on.changeShared("UPDATE $shared.mr_jobs SET state = 'done', finished = $2 WHERE job = $1", job, now);
    return [];
  }
  const failing = await readFailing(on, job);
  if (failing !== undefined) {
    await on.changeShared("UPDATE $shared.mr_jobs SET state = 'paused', note = $2 WHERE job = $1", job, failing);
    return [];
  }
  return start(on, { ...running, step: stands.step, places: underWayMax - stands.underway }, now);
}

/** Says so when too many of one step failed again, and nobody has accepted that yet. */
async function readFailing(on: Acting, job: number): Promise<string | undefined> {
  // A job may have hundreds of thousands of items: they are counted only where something has died.
  const steps = await on.rows<StepCounts>(
    `SELECT d.step, d.died, c.size, c.over FROM (
       SELECT step, count(*) AS died FROM $shared.mr_job_items
       WHERE job = $1 AND state = 'died' AND NOT accepted GROUP BY step) AS d,
     LATERAL (SELECT count(*) AS size, count(*) FILTER (WHERE state IN ('succeeded', 'died') AND NOT accepted) AS over
       FROM $shared.mr_job_items WHERE job = $1 AND step = d.step AND state <> 'skipped') AS c ORDER BY d.step`,
    job,
  );
  for (const step of steps) {
    const failing = failingStep(step);
    if (failing !== undefined) return failing;
  }
  return undefined;
}

interface Starting extends Running {
  readonly step: number;
  readonly places: number;
}

interface Item extends LaneName {
  readonly seq: number;
  readonly entry: number;
}

async function start(on: Acting, { job, step, rate, allowed, places }: Starting, now: number): Promise<LaneName[]> {
  const items = await on.rows<Item>(
    `SELECT seq, entry, consumer, lane FROM $shared.mr_job_items
     WHERE job = $1 AND state = 'pending' AND step = $2 ORDER BY seq LIMIT $3`,
    job,
    step,
    mayStart({ rate, allowed }, places, now),
  );
  const noted = new Map<number, string | null>();
  for (const [place, entries] of on.byService(items.map(({ entry }) => entry))) {
    const { found } = await lockLetters(on, place, entries);
    for (const entry of entries) noted.set(entry, notDead(entry, found.get(entry))?.message ?? null);
    const dead = entries.filter((entry) => noted.get(entry) === null);
    await redriveLetters(on, place, { entries: dead, at: now });
  }
  const details = items.map(({ entry }) => noted.get(entry) ?? null);
  await on.changeShared(
    `UPDATE $shared.mr_job_items AS i SET state = CASE WHEN o.detail IS NULL THEN 'redriven' ELSE 'gone' END, detail = o.detail
     FROM unnest($2::int[], $3::text[]) AS o(seq, detail) WHERE i.job = $1 AND i.seq = o.seq AND i.state = 'pending'`,
    job,
    items.map(({ seq }) => seq),
    details,
  );
  const started = items.filter(({ entry }) => noted.get(entry) === null);
  if (rate !== null && started.length > 0) {
    const after = allowedAfter({ rate, allowed }, started.length, now);
    await on.changeShared("UPDATE $shared.mr_jobs SET allowed = $2 WHERE job = $1", job, after);
  }
  return started.map(({ consumer, lane }) => ({ consumer, lane }));
}
