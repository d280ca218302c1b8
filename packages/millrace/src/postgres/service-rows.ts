import { missingBuild } from "../store/build-acts.js";
import type { Build } from "../store/builds.js";
import { decodeTimer, type TimerRow } from "../store/rows.js";
import type { DueTimer, ScheduleRow } from "../store/store.js";
import { Locks } from "./locks.js";
import type { Place } from "./places.js";
import type { Session } from "./session.js";

/** Keeps a schedule's next tick; one with another rule begins anew. In a transaction. */
export async function ensureSchedule(session: Session, { schema }: Place, row: ScheduleRow): Promise<ScheduleRow> {
  const { schedule, cron, next = null } = row;
  const stored = await session.row(
    `INSERT INTO ${schema}.mr_schedules AS s (schedule, cron, next) VALUES ($1, $2, $3)
     ON CONFLICT (schedule) DO UPDATE SET cron = excluded.cron,
       next = CASE WHEN s.cron = excluded.cron THEN s.next ELSE excluded.next END RETURNING next`,
    schedule,
    cron,
    next,
  );
  return { ...row, next: (stored?.[0] as number | null) ?? undefined };
}

/** Makes the first build of a version: live when none is. In a transaction. */
export async function ensureBuild(
  session: Session,
  place: Place,
  view: { readonly name: string; readonly version: number; readonly now: number },
): Promise<readonly Build[]> {
  const { name, version, now } = view;
  const locks = new Locks();
  locks.alone(`builds/${place.service}/${name}`);
  await locks.take(session);
  const builds = await readBuilds(session, place, name);
  const next = missingBuild(builds, version);
  if (next === undefined) return builds;
  await session.rows(
    `INSERT INTO ${place.schema}.mr_builds(name, version, build, state, created, since) VALUES ($1, $2, $3, $4, $5, $5)`,
    ...[name, version, next.build, next.state, now],
  );
  return readBuilds(session, place, name);
}

/** The builds of a view, dropped ones too. */
export async function readBuilds(
  session: Session,
  { service, schema }: Place,
  name: string,
): Promise<readonly Build[]> {
  const rows = await session.objects<Omit<Build, "service">>(
    `SELECT name, version, build, state, created, since FROM ${schema}.mr_builds WHERE name = $1 ORDER BY version, build`,
    name,
  );
  return rows.map((row) => ({ service, ...row }));
}

/** Timers of a service that are due, the earliest first. */
export async function readDueTimers(
  session: Session,
  { service, schema }: Place,
  { now, limit }: { readonly now: number; readonly limit: number },
): Promise<readonly DueTimer[]> {
  const rows = await session.objects<Omit<TimerRow, "service">>(
    `SELECT timer, name, due, record, consumer, topic, partition, "offset" FROM ${schema}.mr_timers WHERE due <= $1
     ORDER BY due, timer LIMIT $2`,
    now,
    limit,
  );
  return rows.map((row) => decodeTimer({ service, ...row }));
}

/** When a service's next timer is due. */
export async function nextTimer(session: Session, { texts }: Place): Promise<number | undefined> {
  const row = await session.row(texts.of("nextTimer", "SELECT min(due) FROM $schema.mr_timers"));
  return (row?.[0] as number | null) ?? undefined;
}
