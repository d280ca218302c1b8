import { dayStart } from "./names.js";
import type { PgPool } from "./pool.js";
import { type Session, transact } from "./session.js";

/** A table whose partitions are days, and how the days bound them. */
export interface DailyTable {
  readonly table: "mr_inbox" | "mr_outbox";
  bound(day: number): string;
}

/** Partitioned by the day itself. */
export const inboxDays: DailyTable = { table: "mr_inbox", bound: String };
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
 */
export async function makeDay(pool: PgPool, schema: string, daily: DailyTable, day: number): Promise<void> {
  await transact(pool, (session) => makeDayIn(session, schema, daily, day));
}

/** As {@link makeDay}, in a transaction: whoever has a connection already does not wait for another one. */
export async function makeDayIn(session: Session, schema: string, daily: DailyTable, day: number): Promise<void> {
  await session.rows("SELECT pg_advisory_xact_lock(hashtextextended($1, 1))", `${schema}.${daily.table}`);
  const name = partitionName(daily, day);
  if ((await session.row("SELECT 1 WHERE to_regclass($1) IS NOT NULL", `${schema}.${name}`)) !== undefined) return;
  const parent = `${schema}.${daily.table}`;
  await session.script(
    `CREATE TABLE ${schema}.${name}(LIKE ${parent} INCLUDING DEFAULTS INCLUDING CONSTRAINTS);
     ALTER TABLE ${parent} ATTACH PARTITION ${schema}.${name} FOR VALUES FROM (${daily.bound(day)}) TO (${daily.bound(day + 1)})`,
  );
}
