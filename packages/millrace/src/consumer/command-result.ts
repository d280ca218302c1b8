import type { LogRecord } from "../log/log.js";
import type { Effects, OperationResult } from "../store/unit.js";
import type { Refusal } from "./handler.js";

/** What a command's handler left behind: a refused command leaves nothing but its answer. */
export function commandEffects(record: LogRecord, effects: Effects, returned: unknown): Effects {
  const refusal = isRefusal(returned) ? returned : undefined;
  const kept: Effects = refusal === undefined ? effects : {};
  // Nobody waits for the answer to a command that a handler sent.
  if (record.hops > 0) return kept;
  const { refused, detail } = refusal ?? {};
  kept.result = {
    operation: operationOf(record),
    state: refused === undefined ? "committed" : "refused",
    ...(refused === undefined ? undefined : { refused }),
    ...(detail === undefined ? undefined : { detail }),
  };
  return kept;
}

/** The answer of a command that became a dead letter. */
export function commandFailed(record: LogRecord, code: string): OperationResult | undefined {
  return record.hops > 0 ? undefined : { operation: operationOf(record), state: "failed", detail: code };
}

/** A command from outside handlers is its operation; an edited one has the original as its cause. */
function operationOf(record: LogRecord): string {
  return record.causationId ?? record.id;
}

function isRefusal(returned: unknown): returned is Refusal {
  return typeof returned === "object" && returned !== null && (returned as Partial<Refusal>).refused !== undefined;
}
