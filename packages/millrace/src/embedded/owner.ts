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

/** The ownership of a file, until it is released or the process ends. */
export interface Ownership {
  /** The member that was the owner before, if it left its name. */
  readonly before: string | undefined;
  release(): void;
}

/**
 * Makes this process the file's one owner, until it ends: the kernel drops the lock of a killed process at once.
 * The lock is a transaction left open on a second SQLite file. Undefined when another process holds it.
 */
export function takeOwnership(dir: string, member: string): Ownership | undefined {
  const file = join(dir, "millrace.lock");
  makePrivate(dir, file);
  const lock: Database = new (sqlite().DatabaseSync)(file);
  try {
    lock.exec("PRAGMA busy_timeout = 0");
    lock.exec("PRAGMA locking_mode = EXCLUSIVE");
    lock.exec("BEGIN EXCLUSIVE");
    const before = ownerIn(dir)?.member;
    writeFileSync(join(dir, "owner.json"), JSON.stringify({ pid: process.pid, member }), { mode: 0o600 });
    return {
      before,
      release() {
        lock.exec("ROLLBACK");
        lock.close();
      },
    };
  } catch (cause) {
    if (lock.isTransaction) lock.exec("ROLLBACK");
    lock.close();
    if (!isBusy(cause)) throw fileFailure(cause);
    return undefined;
  }
}

/** Who owns the folder, for messages. */
export function ownerOf(dir: string): string {
  const pid = ownerIn(dir)?.pid;
  return pid === undefined ? "another process" : `process ${pid}`;
}

function ownerIn(dir: string): { readonly pid?: number; readonly member?: string } | undefined {
  try {
    return JSON.parse(readFileSync(join(dir, "owner.json"), "utf8")) as { pid?: number; member?: string };
  } catch {
    return undefined;
  }
}

/** A member's name says in which process it lives. */
export function memberName(id: string): string {
  return `${process.pid}/${id}`;
}

/** Whether the member's process still runs on this machine; one that cannot be asked about is taken for running. */
export function isRunning(member: string): boolean {
  const pid = Number(member.split("/")[0]);
  if (!Number.isSafeInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as { code?: string }).code !== "ESRCH";
  }
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
