import type { Act } from "../store/operate.js";
import { first, run } from "./query.js";
import type { Database } from "./sqlite.js";

/** Keeps an operator's act, in the transaction that does it. */
export function audit(database: Database, verb: string, target: string, act: Act): void {
  run(
    database,
    "INSERT INTO mr_audit(at, actor, act, target, reason) VALUES (?, ?, ?, ?, ?)",
    act.at,
    act.actor,
    verb,
    target,
    act.reason,
  );
}

/** Whether this very act was done before: it is sent again when its answer was lost. */
export function wasDone(database: Database, verb: string, beginning: string, { at, actor, reason }: Act): boolean {
  const sql = `SELECT 1 FROM mr_audit
    WHERE at = ? AND actor = ? AND act = ? AND reason = ? AND substr(target, 1, length(?)) = ?`;
  return first(database, sql, at, actor, verb, reason, beginning, beginning) !== undefined;
}
