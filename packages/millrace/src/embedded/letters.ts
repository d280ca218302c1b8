import type { Failure } from "../failure/failure.js";
import { notDead } from "../store/dead-letter.js";
import { decodeEntry, type EntryRow } from "../store/rows.js";
import type { LaneEntry } from "../store/unit.js";
import { first, run } from "./query.js";
import type { Database } from "./sqlite.js";

/** The dead letter of a number, or why there is none. */
export function findDeadLetter(database: Database, entry: number): LaneEntry | Failure {
  const row = first<EntryRow>(database, "SELECT * FROM mr_lane_entries WHERE entry = ?", entry);
  return notDead(entry, row) ?? decodeEntry(row as EntryRow);
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
