import { accessSync, constants, existsSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { Failure } from "../failure/failure.js";
import type { Inspect } from "../store/inspect.js";
import { storeFailure } from "./errors.js";
import { checkFormat } from "./format.js";
import { createInspect } from "./inspect.js";
import { refuseEmptied } from "./owner.js";
import { type Database, openDatabase } from "./sqlite.js";

/** A file that is only read, beside a process that writes it or without one. */
export interface ReadOnly {
  readonly inspect: Inspect;
  close(): void;
}

/**
 * Opens the embedded engine's file in `dir` for reading. What a killed process committed is there, too.
 *
 * In a folder that cannot be written, SQLite can only read a file whose last process ended in order, and that nobody
 * writes meanwhile.
 *
 * @throws {Failure} NOT_FOUND when there is no file; STORE_FORMAT when it is not one of ours; STORE_DAMAGED when it
 * cannot be read as a database; STORE_UNAVAILABLE when it cannot be opened.
 */
export function openReadOnly(dir: string): ReadOnly {
  const file = join(resolve(dir), "millrace.db");
  refuseEmptied(resolve(dir), file);
  if (!existsSync(file))
    throw new Failure("NOT_FOUND", `there is no ${file}: start the app once, or name the folder of its data`, {
      details: { file },
    });
  const database = open(file);
  try {
    checkFormat(database, file);
    // The file's first pages are read now: damage is to show here, not in the middle of an answer.
    database.prepare("SELECT count(*) FROM mr_engine").get();
  } catch (error) {
    database.close();
    throw storeFailure(error);
  }
  return { inspect: createInspect(database, file), close: () => database.close() };
}

function open(file: string): Database {
  try {
    return openDatabase(immutable(file) ? `${pathToFileURL(file).href}?immutable=1` : file, { readOnly: true });
  } catch (error) {
    throw storeFailure(error);
  }
}

/** Nobody can have unfinished work in a folder that cannot be written and has no write-ahead log. */
function immutable(file: string): boolean {
  if ((statSync(`${file}-wal`, { throwIfNoEntry: false })?.size ?? 0) > 0) return false;
  try {
    accessSync(resolve(file, ".."), constants.W_OK);
    return false;
  } catch {
    return true;
  }
}
