import { Failure } from "../failure/failure.js";
import type { LaneEntry } from "../store/unit.js";
import { first, run } from "./query.js";
import { decodeEntry, type EntryRow } from "./rows.js";
import type { Database } from "./sqlite.js";

/** The dead letter of a number, or why there is none. */
export function findDeadLetter(database: Database, entry: number): LaneEntry | Failure {
  const row = first<EntryRow>(database, "SELECT * FROM mr_lane_entries WHERE entry = ?", entry);
  if (row === undefined)
    return new Failure(
      "NOT_FOUND",
      `no entry ${entry}: it has succeeded, was skipped, or never was; see millrace dead-letters ls`,
    );
  if (row.state !== "dead")
    return new Failure(
      "CONFLICT",
      `entry ${entry} of ${row.consumer} is ${row.state}, not dead: wait until it succeeds or dies`,
    );
  return decodeEntry(row);
}

/** Runs inside a transaction: the dead letter gets another run, with a fresh count of attempts. */
export function redriveLetter(database: Database, entry: number, at: number): void {
  // It holds its lane while it runs again, also when it had let others pass: a lane is serial.
  run(
    database,
    "UPDATE mr_lane_entries SET state = 'parked', holds = 1, due = ?, attempt = 0, redrives = redrives + 1 WHERE entry = ?",
    at,
    entry,
  );
}
