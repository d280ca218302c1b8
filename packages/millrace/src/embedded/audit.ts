import type { Act } from "../store/operate.js";
import { run } from "./query.js";
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
