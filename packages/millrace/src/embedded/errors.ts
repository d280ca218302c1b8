import { Failure, isFailure } from "../failure/failure.js";

// Primary result codes, as in SQLite's documentation ("Result and Error Codes").
const full = 13;
const unavailable = new Set([5, 6, 8, 10, 14]); // BUSY, LOCKED, READONLY, IOERR, CANTOPEN
const damaged = new Set([11, 26]); // CORRUPT, NOTADB

/** What SQLite's error means to us. An error that is about one statement's data becomes STATEMENT_FAILED. */
export function storeFailure(error: unknown): Failure {
  if (isFailure(error)) return error;
  const message = error instanceof Error ? error.message : String(error);
  const code = primaryCode(error) ?? systemCode(error);
  if (code === full)
    return new Failure(
      "STORE_FULL",
      `the disk is full: ${message}; nothing was stored. Free space, work goes on by itself`,
      { cause: error },
    );
  if (code !== undefined && damaged.has(code))
    return new Failure("STORE_DAMAGED", `the file is damaged: ${message}; stop, keep a copy, and restore a backup`, {
      cause: error,
    });
  if (code !== undefined && unavailable.has(code))
    return new Failure("STORE_UNAVAILABLE", `the file cannot be written at the moment: ${message}`, { cause: error });
  return new Failure("STATEMENT_FAILED", message, { cause: error });
}

/** What SQLite's error means where no unit's data can be at fault: then the file contradicts itself. */
export function fileFailure(error: unknown): Failure {
  const failure = storeFailure(error);
  if (isFailure(error) || failure.code !== "STATEMENT_FAILED") return failure;
  const message = `the file contradicts itself: ${failure.message}; stop, keep a copy, and run "millrace doctor"`;
  return new Failure("STORE_DAMAGED", message, { cause: error });
}

/** There is no space left: on the disk, or in a table that has no row number left. */
export function isFull(error: unknown): boolean {
  return primaryCode(error) === full;
}

/** Somebody else holds the lock. */
export function isBusy(error: unknown): boolean {
  const code = primaryCode(error);
  return code === 5 || code === 6;
}

/** The file is something else than a database of SQLite. */
export function isNoDatabase(error: unknown): boolean {
  return primaryCode(error) === 26;
}

/** The statement would write, on a connection that may not. */
export function isReadOnly(error: unknown): boolean {
  return primaryCode(error) === 8;
}

/** SQLite's own words for the codes that matter here (`sqlite3_errstr`): the package's `all` throws errors without a code. */
const codesByText: readonly (readonly [string, number])[] = [
  ["database is locked", 5],
  ["database table is locked", 6],
  ["attempt to write a readonly database", 8],
  ["disk I/O error", 10],
  ["database disk image is malformed", 11],
  ["database or disk is full", full],
  ["unable to open database file", 14],
  ["file is not a database", 26],
];

/** node:sqlite calls it `errcode`, the package also `sqliteCode`; extended codes carry the primary one in the low byte. */
function primaryCode(error: unknown): number | undefined {
  if (typeof error !== "object" || error === null) return undefined;
  const { errcode, sqliteCode, message } = error as { errcode?: unknown; sqliteCode?: unknown; message?: unknown };
  const code = typeof errcode === "number" ? errcode : sqliteCode;
  if (typeof code === "number") return code & 0xff;
  return codesByText.find(([text]) => String(message).includes(text))?.[1];
}

/** What the system says of the files beside the database, like `owner.json`, in SQLite's codes. */
function systemCode(error: unknown): number | undefined {
  const { code, syscall } = (error ?? {}) as NodeJS.ErrnoException;
  if (typeof code !== "string" || typeof syscall !== "string") return undefined;
  return code === "ENOSPC" || code === "EDQUOT" ? full : 10;
}

/** Runs `work`; what SQLite refuses becomes one of our failures. */
export function translated<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw fileFailure(error);
  }
}
