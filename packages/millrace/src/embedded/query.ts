import type { Database, SqliteValue } from "./sqlite.js";

/** All rows of a query that runs seldom: it is compiled each time. `T` says what the columns are, in the words of schema.ts. */
export function all<T>(database: Database, sql: string, ...params: SqliteValue[]): T[] {
  return database.prepare(sql).all(...params) as unknown as T[];
}

/** The first row of {@link all}. */
export function first<T>(database: Database, sql: string, ...params: SqliteValue[]): T | undefined {
  return database.prepare(sql).get(...params) as unknown as T | undefined;
}

/** Runs a statement and returns how many rows it changed. */
export function run(database: Database, sql: string, ...params: SqliteValue[]): number {
  return Number(database.prepare(sql).run(...params).changes);
}
