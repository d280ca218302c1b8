import { Failure } from "../failure/failure.js";
import type { Act, ActOutcome } from "../store/operate.js";
import type { Pause } from "../store/unit.js";
import { audit } from "./audit.js";
import { all, first, run } from "./query.js";
import type { Database } from "./sqlite.js";

interface PauseRow extends Pause {
  readonly consumer: string;
}

const unchanged: ActOutcome = { changed: 0, lanes: [] };

/** Runs inside a transaction. A consumer that is paused already keeps its first reason. */
export function pause(database: Database, consumer: string, act: Act): ActOutcome {
  refuseUnknown(database, consumer);
  const sql = "INSERT INTO mr_pauses VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING";
  if (run(database, sql, consumer, act.reason, act.actor, act.at) === 0) return unchanged;
  audit(database, "pause", `consumer ${consumer}`, act);
  return { changed: 1, lanes: [] };
}

/** Runs inside a transaction. */
export function resume(database: Database, consumer: string, act: Act): ActOutcome {
  refuseUnknown(database, consumer);
  if (run(database, "DELETE FROM mr_pauses WHERE consumer = ?", consumer) === 0) return unchanged;
  audit(database, "resume", `consumer ${consumer}`, act);
  return { changed: 1, lanes: [] };
}

/** The pause of one consumer, if it is paused. */
export function readPause(database: Database, consumer: string): Pause | undefined {
  return first<Pause>(database, "SELECT reason, actor, at FROM mr_pauses WHERE consumer = ?", consumer);
}

/** All pauses, by consumer. */
export function readPauses(database: Database): Map<string, Pause> {
  const rows = all<PauseRow>(database, "SELECT * FROM mr_pauses");
  return new Map(rows.map(({ consumer, reason, actor, at }) => [consumer, { reason, actor, at }]));
}

function refuseUnknown(database: Database, consumer: string): void {
  if (first(database, "SELECT 1 FROM mr_consumers WHERE consumer = ?", consumer) === undefined)
    throw new Failure("NOT_FOUND", `no consumer ${consumer} is registered; see millrace consumers ls`);
}
