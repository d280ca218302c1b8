import { chmodSync, closeSync, existsSync, mkdirSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Failure } from "../failure/failure.js";
import { fileFailure, isBusy } from "./errors.js";
import { type Database, sqlite } from "./sqlite.js";

/**
 * Makes the engine's folder (0700) and file (0600), so that nobody else on the machine reads events. A file that is
 * there is not opened: closing it would drop this process's locks on it (POSIX), and with them its ownership.
 */
export function makePrivate(dir: string, file: string): void {
  try {
    mkdirSync(dir, { recursive: true, mode: 0o700 });
    if (existsSync(file)) chmodSync(file, 0o600);
    else closeSync(openSync(file, "wx", 0o600));
  } catch (cause) {
    throw new Failure("STORE_UNAVAILABLE", `${file}: the folder cannot be written; give another one, or its rights`, {
      cause,
    });
  }
}

/**
 * Makes this process the file's one owner, until it ends: the kernel drops the lock of a killed process at once.
 * The lock is a transaction left open on a second SQLite file.
 *
 * @throws {Failure} STORE_OWNED when another process holds it.
 */
export function takeOwnership(dir: string): { release(): void } {
  const file = join(dir, "millrace.lock");
  makePrivate(dir, file);
  const lock: Database = new (sqlite().DatabaseSync)(file);
  try {
    lock.exec("PRAGMA busy_timeout = 0");
    lock.exec("PRAGMA locking_mode = EXCLUSIVE");
    lock.exec("BEGIN EXCLUSIVE");
    writeFileSync(join(dir, "owner.json"), JSON.stringify({ pid: process.pid }), { mode: 0o600 });
  } catch (cause) {
    if (lock.isTransaction) lock.exec("ROLLBACK");
    lock.close();
    if (!isBusy(cause)) throw fileFailure(cause);
    throw new Failure(
      "STORE_OWNED",
      `${dir} is in use by ${ownerOf(dir)}; stop that process, or give this one another folder`,
      {
        cause,
        details: { dir },
      },
    );
  }
  return {
    release() {
      lock.exec("ROLLBACK");
      lock.close();
    },
  };
}

function ownerOf(dir: string): string {
  try {
    const { pid } = JSON.parse(readFileSync(join(dir, "owner.json"), "utf8")) as { pid: number };
    return `process ${pid}`;
  } catch {
    return "another process";
  }
}
