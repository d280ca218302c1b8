import { createRequire } from "node:module";

/** The part of SQLite's interface we use. `node:sqlite` has it, and `@photostructure/sqlite` copies it for Node 20. */
export interface Database {
  readonly isOpen: boolean;
  readonly isTransaction: boolean;
  exec(sql: string): void;
  prepare(sql: string): Statement;
  close(): void;
}
export type SqliteValue = string | number | bigint | null | Uint8Array;
export interface Statement {
  run(...params: SqliteValue[]): { readonly changes: number | bigint; readonly lastInsertRowid: number | bigint };
  get(...params: SqliteValue[]): unknown;
  all(...params: SqliteValue[]): unknown[];
  setReturnArrays(on: boolean): void;
}
/** A build of SQLite. */
export interface Sqlite {
  readonly DatabaseSync: new (file: string, options?: { readOnly?: boolean }) => Database;
  readonly backup: (source: Database, file: string) => Promise<number>;
}

let loaded: Sqlite | undefined;

/** The SQLite of this Node: built in where it has all we use (24 and later), else the pinned package. */
export function sqlite(): Sqlite {
  if (loaded !== undefined) return loaded;
  const require = createRequire(import.meta.url);
  const major = Number(process.versions.node.split(".")[0]);
  loaded = require(major >= 24 ? "node:sqlite" : "@photostructure/sqlite") as Sqlite;
  return loaded;
}

/** For tests: puts another build in its place, for all connections that are opened from then on in this thread. */
export function substituteSqlite(make: (own: Sqlite) => Sqlite): void {
  loaded = make(sqlite());
}

/**
 * Opens a connection with every setting that durability rests on set by us: defaults differ between builds.
 * A commit returns after `fdatasync`; checkpoints run only when asked for.
 */
export function openDatabase(file: string, options: { readonly readOnly?: boolean } = {}): Database {
  const database = new (sqlite().DatabaseSync)(file, { readOnly: options.readOnly ?? false });
  try {
    configure(database, options.readOnly ?? false);
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

function configure(database: Database, readOnly: boolean): void {
  database.exec("PRAGMA busy_timeout = 5000");
  if (!readOnly) {
    database.exec("PRAGMA page_size = 8192");
    database.exec("PRAGMA journal_mode = WAL");
    database.exec("PRAGMA synchronous = FULL");
    database.exec("PRAGMA wal_autocheckpoint = 0");
    database.exec("PRAGMA journal_size_limit = 67108864");
  }
  database.exec("PRAGMA cache_size = -32000");
}

/** A statement whose rows are arrays in column order: half the cost of objects. */
export function prepareRows(database: Database, sql: string): Statement {
  const statement = database.prepare(sql);
  statement.setReturnArrays(true);
  return statement;
}
