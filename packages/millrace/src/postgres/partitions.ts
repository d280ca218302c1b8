import { sqlState } from "./errors.js";
import { dayStart } from "./names.js";
import type { PgPool } from "./pool.js";
import { inTransaction, type Session, withSession } from "./session.js";

/** A table whose partitions are days, and how the days bound them. */
export interface DailyTable {
  readonly table: "mr_inbox" | "mr_outbox";
  /** The partition of all days that have none of their own; without it, each must have one before its first row. */
  readonly rest?: string;
  bound(day: number): string;
}

/** Partitioned by the day itself. */
export const inboxDays: DailyTable = { table: "mr_inbox", rest: "mr_inbox_far", bound: String };
/** Partitioned by ms since the epoch. */
export const outboxDays: DailyTable = { table: "mr_outbox", bound: (day) => String(dayStart(day)) };

/** The partition of a day; negative days have an "m" before them. */
export function partitionName({ table }: DailyTable, day: number): string {
  return `${table}_${day < 0 ? `m${-day}` : day}`;
}

/** The day of a partition's name; undefined when it is none. */
function partitionDay({ table }: DailyTable, name: string): number | undefined {
  const [, minus, day] = new RegExp(`^${table}_(m?)(\\d+)$`).exec(name) ?? [];
  return day === undefined ? undefined : Number(minus === "m" ? `-${day}` : day);
}

/** The partitions of a table, by day. */
export async function readDays(session: Session, schema: string, daily: DailyTable): Promise<readonly number[]> {
  const rows = await session.rows(
    `SELECT c.relname::text FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = $1::regclass`,
    `${schema}.${daily.table}`,
  );
  const days = rows.map(([name]) => partitionDay(daily, name as string)).filter((day) => day !== undefined);
  return days.sort((a, b) => a - b);
}

/**
 * Makes the partition of a day. One process at a time does, and the others find it made. It is attached when it is whole,
 * so that commits under way are not waited for, nor held up.
 *
 * Where days may be without one, it takes over the rows that are there already; and when the rest is in use for long, as
 * by a backup, the day stays without.
 */
export async function makeDay(pool: PgPool, schema: string, daily: DailyTable, day: number): Promise<void> {
  await withSession(pool, (session) => makeDayNow(session, schema, daily, day));
}

/** As {@link makeDay}, in a session that is in no transaction. */
export async function makeDayNow(session: Session, schema: string, daily: DailyTable, day: number): Promise<void> {
  const make = () => makeDayIn(session, schema, daily, day);
  const { table, rest } = daily;
  if (rest === undefined) return inTransaction(session, make);
  if (await isMade(session, schema, daily, day)) return;
  // In the order in which a drop takes them.
  const locks = `LOCK TABLE ONLY ${schema}.${table} IN SHARE UPDATE EXCLUSIVE MODE; LOCK TABLE ${schema}.${rest} IN ACCESS EXCLUSIVE MODE`;
  await unlessUsed(session, locks, make);
}

/** As {@link makeDay}, in a transaction: whoever has a connection already does not wait for another one. */
export async function makeDayIn(session: Session, schema: string, daily: DailyTable, day: number): Promise<void> {
  await session.rows("SELECT pg_advisory_xact_lock(hashtextextended($1, 1))", `${schema}.${daily.table}`);
  if (await isMade(session, schema, daily, day)) return;
  const [made, parent] = [`${schema}.${partitionName(daily, day)}`, `${schema}.${daily.table}`];
  await session.script(`CREATE TABLE ${made}(LIKE ${parent} INCLUDING DEFAULTS INCLUDING CONSTRAINTS)`);
  if (daily.rest !== undefined)
    await session.script(
      `WITH moved AS (DELETE FROM ${schema}.${daily.rest} WHERE day = ${day} RETURNING *) INSERT INTO ${made} SELECT * FROM moved`,
    );
  await session.script(
    `ALTER TABLE ${parent} ATTACH PARTITION ${made} FOR VALUES FROM (${daily.bound(day)}) TO (${daily.bound(day + 1)})`,
  );
}

async function isMade(session: Session, schema: string, daily: DailyTable, day: number): Promise<boolean> {
  const name = `${schema}.${partitionName(daily, day)}`;
  return (await session.row("SELECT 1 WHERE to_regclass($1) IS NOT NULL", name)) !== undefined;
}

/** Commits wait as long as something waits for a lock, at most. */
const lockMs = 500;
const lockTimeout = "55P03";

/** Works in a transaction that has these locks. False when somebody uses the tables for long: it is tried again another time. */
export async function unlessUsed(session: Session, locks: string, work: () => Promise<void>): Promise<boolean> {
  try {
    await inTransaction(session, async () => {
      await session.script(`SET LOCAL lock_timeout = ${lockMs}; ${locks}`);
      await work();
    });
    return true;
  } catch (error) {
    if (sqlState(error) === lockTimeout) return false;
    throw error;
  }
}
