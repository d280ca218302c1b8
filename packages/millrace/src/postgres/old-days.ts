import type { Clock } from "../runtime/clock.js";
import type { Keeping } from "./hygiene.js";
import type { ServicePlace } from "./install.js";
import { dayOf } from "./names.js";
import {
  type DailyTable,
  inboxDays,
  makeDayNow,
  outboxDays,
  partitionName,
  readDays,
  unlessUsed,
} from "./partitions.js";
import type { Session } from "./session.js";
import { invisible } from "./window.js";

/** What retention of whole days works with. */
export interface OldDaysParts {
  /** Where the log's topics ended before anything was looked at. */
  readonly ends: ReadonlyMap<string, readonly number[]>;
  readonly clock: Clock;
  readonly keeping: Keeping;
}

/** Partitions are there before their day begins, so that no commit has to make one. */
const daysAhead = 2;
/** One call drops so many partitions of a table at most. */
const daysMax = 5;
const rowsMax = 5_000;

/** Makes the partitions of the days to come. */
export async function makeDaysAhead({ clock }: OldDaysParts, session: Session, place: ServicePlace): Promise<void> {
  const today = dayOf(clock.now());
  for (const daily of [inboxDays, outboxDays]) {
    const known = new Set(await readDays(session, place.schema, daily));
    for (let day = today; day <= today + daysAhead; day += 1)
      if (!known.has(day)) await makeDayNow(session, place.schema, daily, day);
  }
}

/** Drops days of the outbox that are old, and whose events have all been sent. True when there are more. */
export async function dropOutboxDays(parts: OldDaysParts, session: Session, place: ServicePlace): Promise<boolean> {
  const before = dayOf(parts.clock.now() - parts.keeping.outboxMs);
  return dropDays(session, place, {
    daily: outboxDays,
    before,
    mayGo: (day) => isSent(session, place, day),
  });
}

/** Whether the relay has sent all of a day: every row is visible in the snapshot up to which it has come. */
async function isSent(session: Session, { schema }: ServicePlace, day: number): Promise<boolean> {
  const row = await session.row(
    `SELECT previous::text FROM ${schema}.mr_relay WHERE cluster = (SELECT system_identifier::text FROM pg_control_system())`,
  );
  if (row === undefined) return false;
  const { from, among } = invisible(row[0] as string);
  const left = await session.row(
    `SELECT 1 FROM ${schema}.${partitionName(outboxDays, day)} WHERE xid >= $1::xid8 OR xid = ANY($2::xid8[]) LIMIT 1`,
    from,
    `{${among.join(",")}}`,
  );
  return left === undefined;
}

/**
 * Drops days of the inbox: of events whose copies, had they reached the log within the window, every consumer of the service
 * would have met by now. True when there are more.
 */
export async function dropInboxDays(parts: OldDaysParts, session: Session, place: ServicePlace): Promise<boolean> {
  const before = dayOf(parts.clock.now() - parts.keeping.inboxMs);
  const days = await readDays(session, place.schema, inboxDays);
  if (!days.some((day) => day < before)) return false;
  return dropDays(session, place, {
    daily: inboxDays,
    before,
    mayGo: async (day) => day < (await metBefore(parts, session, place)),
  });
}

/** As {@link dropInboxDays}, row by row, of days that have got no partition. */
export async function emptyInboxFar(parts: OldDaysParts, session: Session, place: ServicePlace): Promise<boolean> {
  const far = `${place.schema}.mr_inbox_far`;
  const old = () => metBefore(parts, session, place);
  if ((await session.row(`SELECT 1 FROM ${far} WHERE day < $1 LIMIT 1`, await old())) === undefined) return false;
  let gone = 0;
  await unlessUsed(session, `LOCK TABLE ${far} IN SHARE ROW EXCLUSIVE MODE`, async () => {
    gone = await session.changes(
      `DELETE FROM ${far} WHERE ctid = ANY(ARRAY(SELECT ctid FROM ${far} WHERE day < $1 LIMIT ${rowsMax}))`,
      await old(),
    );
  });
  return gone === rowsMax;
}

/** Copies of events of the days before this one have been met. */
async function metBefore(parts: OldDaysParts, session: Session, place: ServicePlace): Promise<number> {
  const { clock, keeping, ends } = parts;
  return dayOf(Math.min(clock.now(), await handledUpTo(session, place, ends)) - keeping.inboxMs);
}

/** The log time up to which every consumer has handled what it hears; infinite when nothing waits. */
async function handledUpTo(session: Session, { schema }: ServicePlace, ends: OldDaysParts["ends"]): Promise<number> {
  // A position that has handled nothing has nothing in the inbox.
  const rows = await session.objects<{ topic: string; partition: number; frontier: number; handled: number }>(
    `SELECT topic, partition, frontier, handled FROM ${schema}.mr_positions WHERE handled > 0`,
  );
  let lowest = Number.POSITIVE_INFINITY;
  for (const { topic, partition, frontier, handled } of rows) {
    const end = ends.get(topic)?.[partition] ?? 0;
    if (frontier < end) lowest = Math.min(lowest, handled);
  }
  return lowest;
}

interface Dropping {
  readonly daily: DailyTable;
  /** Days before this one are old. */
  readonly before: number;
  /** Asked once more when nobody can add rows. */
  mayGo(day: number): Promise<boolean>;
}

async function dropDays(session: Session, { schema }: ServicePlace, dropping: Dropping): Promise<boolean> {
  const { daily, before, mayGo } = dropping;
  const old = (await readDays(session, schema, daily)).filter((day) => day < before);
  let dropped = 0;
  for (const day of old) {
    if (dropped === daysMax) return true;
    if (!(await mayGo(day))) return false;
    const free = await unlessUsed(session, `LOCK TABLE ${schema}.${daily.table} IN ACCESS EXCLUSIVE MODE`, async () => {
      if (await mayGo(day)) await session.script(`DROP TABLE ${schema}.${partitionName(daily, day)}`);
    });
    if (!free) return false;
    dropped += 1;
  }
  return false;
}
