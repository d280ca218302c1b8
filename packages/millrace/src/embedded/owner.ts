import { createHash } from "node:crypto";
import {
  chmodSync,
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  realpathSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Failure } from "../failure/failure.js";
import { processRuns } from "../runtime/process-runs.js";
import { fileFailure, isBusy, isNoDatabase } from "./errors.js";
import { refuseCutLog } from "./log-check.js";
import { formatVersion } from "./schema.js";
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

/** The ownership of a file, until it is released or the process ends. */
export interface Ownership {
  /** The member that was the owner before, if it left its name. */
  readonly before: string | undefined;
  /** Notes that the file has its tables: from now on an empty one is a loss. */
  stored(): void;
  /** False when somebody has put another lock in the place of this process's: then another process may hold that. */
  holds(): boolean;
  release(): void;
}

/** The ownership, if it is one still; else the lock is let go. */
export function stillOwned(ownership: Ownership | undefined): Ownership | undefined {
  if (ownership === undefined || ownership.holds()) return ownership;
  ownership.release();
  return undefined;
}

/**
 * Refuses an empty file where there was a full one: SQLite would take it for new, and remove its write-ahead log.
 * A first start that was killed leaves an empty file, too, but neither a note nor a log.
 *
 * @throws {Failure} STORE_DAMAGED
 */
export function refuseEmptied(dir: string, file: string): void {
  const size = statSync(file, { throwIfNoEntry: false })?.size;
  if (size !== undefined && size > 0) return;
  const log = (statSync(`${file}-wal`, { throwIfNoEntry: false })?.size ?? 0) > 0;
  if (!log && (size === undefined || ownerIn(dir)?.format === undefined)) return;
  throw new Failure(
    "STORE_DAMAGED",
    `${file} is ${size === undefined ? "gone" : "empty"}, and ${log ? "its write-ahead log is there" : "was not when it was last used"}; keep a copy of ${dir}, then restore a backup or remove the folder to begin anew`,
    { details: { file } },
  );
}

/**
 * Refuses what SQLite would open with less in it than was stored. Only for the owner: nobody writes meanwhile.
 *
 * @throws {Failure} STORE_DAMAGED
 */
export function refuseDamaged(dir: string, file: string): void {
  refuseEmptied(dir, file);
  refuseCutLog(file);
}

/**
 * Makes this process the file's one owner, until it ends: the kernel drops the lock of a killed process at once.
 * The lock is a transaction left open on a second SQLite file. Undefined when another process holds it.
 *
 * @throws {Failure} STORE_FORMAT when the lock is some other file.
 */
export function takeOwnership(dir: string, member: string): Ownership | undefined {
  const file = join(dir, "millrace.lock");
  makePrivate(dir, file);
  const lock: Database = new (sqlite().DatabaseSync)(file);
  try {
    lock.exec("PRAGMA busy_timeout = 0");
    lock.exec("PRAGMA locking_mode = EXCLUSIVE");
    lock.exec("BEGIN EXCLUSIVE");
    const { member: before, format } = ownerIn(dir) ?? {};
    writeOwner(dir, { member, format });
    const { ino } = statSync(file);
    return {
      before,
      holds: () => statSync(file, { throwIfNoEntry: false })?.ino === ino,
      stored() {
        if (format !== formatVersion) writeOwner(dir, { member, format: formatVersion });
      },
      release() {
        lock.exec("ROLLBACK");
        lock.close();
      },
    };
  } catch (cause) {
    if (lock.isTransaction) lock.exec("ROLLBACK");
    lock.close();
    if (isNoDatabase(cause))
      throw new Failure(
        "STORE_FORMAT",
        `${file} is not the lock that Millrace makes; it holds no data: see that nothing runs on ${dir}, and remove it`,
        { cause, details: { file } },
      );
    if (!isBusy(cause)) throw fileFailure(cause);
    return undefined;
  }
}

/** Who owns the folder, for messages. */
export function ownerOf(dir: string): string {
  const pid = ownerIn(dir)?.pid;
  return pid === undefined ? "another process" : `process ${pid}`;
}

/** What `owner.json` says; whoever was killed while writing it said nothing. */
interface OwnerNote {
  readonly pid?: number;
  readonly member?: string;
  /** The format of the file, once it has its tables. */
  readonly format?: number | undefined;
}

function ownerIn(dir: string): OwnerNote | undefined {
  try {
    return JSON.parse(readFileSync(join(dir, "owner.json"), "utf8")) as OwnerNote;
  } catch {
    return undefined;
  }
}

function writeOwner(dir: string, note: OwnerNote): void {
  writeFileSync(join(dir, "owner.json"), JSON.stringify({ pid: process.pid, ...note }), { mode: 0o600 });
}

/** A member's name says in which process it lives. */
export function memberName(id: string): string {
  return `${process.pid}/${id}`;
}

/** Whether the member's process still runs on this machine. */
export function isRunning(member: string): boolean {
  const pid = Number(member.split("/")[0]);
  return Number.isSafeInteger(pid) && pid > 0 && processRuns(pid);
}

/**
 * Where the owner of a folder listens for the others: a unix socket in a private folder of the system's temporary one,
 * named by the folder's real path, as paths of more than 107 bytes are cut silently; on Windows a named pipe.
 */
export function socketOf(dir: string): string {
  const name = createHash("sha256").update(realpathSync(dir)).digest("hex").slice(0, 32);
  if (process.platform === "win32") return `\\\\.\\pipe\\millrace-${name}`;
  const folder = join(tmpdir(), `millrace-${process.getuid?.() ?? 0}`);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const { uid, mode } = statSync(folder);
  if (uid !== process.getuid?.() || (mode & 0o077) !== 0)
    throw new Failure("STORE_UNAVAILABLE", `${folder} is not private to this user; remove it, or set TMPDIR`);
  return join(folder, name);
}
