import { closeSync, existsSync, fsyncSync, linkSync, openSync, renameSync, rmSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { Failure } from "../failure/failure.js";
import { storeFailure } from "./errors.js";
import { all } from "./query.js";
import { type Database, openDatabase, sqlite } from "./sqlite.js";

/**
 * Copies the database, as of one moment, into a new file that only this user may read, while others read and write.
 *
 * The copy is made beside the target, checked, flushed to disk, and only then gets its name: a file of that name is a
 * whole backup. The write-ahead log cannot shrink while it runs.
 *
 * @throws {Failure} CONFLICT when the file exists or is being written; STORE_FULL, STORE_DAMAGED or STORE_UNAVAILABLE
 * when the copy fails. Nothing is left behind then.
 */
export async function backup(database: Database, file: string): Promise<void> {
  const target = resolve(file);
  const partial = join(dirname(target), `.${basename(target)}.partial`);
  if (existsSync(target)) throw exists(target);
  claim(partial);
  try {
    await copy(database, partial);
    check(partial);
    flush(partial);
    publish(partial, target);
    flush(dirname(target));
  } catch (error) {
    throw storeFailure(error);
  } finally {
    for (const suffix of ["", "-wal", "-shm", "-journal"]) rmSync(`${partial}${suffix}`, { force: true });
  }
}

function exists(target: string): Failure {
  return new Failure("CONFLICT", `${target} exists; a backup never overwrites a file: give another name`);
}

/** Makes the file with its rights before anything is in it. */
function claim(partial: string): void {
  try {
    closeSync(openSync(partial, "wx", 0o600));
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "EEXIST")
      throw new Failure(
        "CONFLICT",
        `${partial} exists: a backup is running, or was killed; if none runs, remove that file`,
        { cause },
      );
    throw new Failure(
      "STORE_UNAVAILABLE",
      `${dirname(partial)} cannot be written; give another folder, or its rights`,
      { cause },
    );
  }
}

async function copy(database: Database, partial: string): Promise<void> {
  const source = all<{ name: string; file: string }>(database, "PRAGMA database_list").find(
    ({ name }) => name === "main",
  );
  if (source === undefined || source.file === "") {
    await sqlite().backup(database, partial);
    return;
  }
  // With a connection of its own, and a transaction held open on it, the copy sees one moment and never has to begin
  // again: SQLite restarts a backup when another connection commits between its steps.
  const own = openDatabase(source.file, { readOnly: true });
  try {
    own.exec("BEGIN; SELECT count(*) FROM sqlite_schema");
    await sqlite().backup(own, partial);
  } finally {
    // The package's `close` may keep the connection open until garbage is collected; its snapshot must not live on.
    if (own.isTransaction) own.exec("ROLLBACK");
    own.close();
  }
}

/** Also turns the copy back from WAL, so that it is one file that can be read from anywhere. */
function check(partial: string): void {
  const copied = openDatabase(partial);
  try {
    const problems = all<{ integrity_check: string }>(copied, "PRAGMA integrity_check(10)").map(
      (row) => row.integrity_check,
    );
    if (problems.length !== 1 || problems[0] !== "ok")
      throw new Failure(
        "STORE_DAMAGED",
        `the copy is damaged, and so is the original; see millrace doctor: ${problems.join("; ")}`,
      );
    copied.exec("PRAGMA journal_mode = DELETE");
  } finally {
    copied.close();
  }
}

function flush(path: string): void {
  const handle = openSync(path, "r");
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}

/** A link fails when the name is taken, where a rename would replace the file. Some file systems have no links. */
function publish(partial: string, target: string): void {
  try {
    linkSync(partial, target);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST" || existsSync(target)) throw exists(target);
    renameSync(partial, target);
  }
}
