import type { LogRecord } from "../log/log.js";
import { answerTo } from "../log/reply-to.js";
import type { Effects, OperationResult } from "../store/unit.js";
import type { HandlerContext } from "./context.js";
import type { Refusal } from "./handler.js";

/** What a command's handler left behind: a refused command leaves nothing but its answer. */
export function commandEffects(context: HandlerContext, returned: unknown): Effects {
  const { record, service, generation } = context.run;
  const refusal = isRefusal(returned) ? returned : undefined;
  const kept: Effects = refusal === undefined ? context.effects : {};
  const answer = answerTo(
    record,
    refusal === undefined ? { outcome: "handled" } : { outcome: "refused", ...textOf(refusal) },
    { service, generation, now: context.now().getTime(), redrives: 0 },
  );
  if (answer !== undefined) kept.records = [...(kept.records ?? []), answer];
  // Nobody waits for the answer to a command that a handler sent, but a pattern that did.
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

/** Of a command that becomes a dead letter. */
export interface Death {
  readonly consumer: string;
  readonly generation: number;
  readonly redrives: number;
  readonly code: string;
  readonly message: string;
  readonly now: number;
}

/** Whom the commit tells that makes a dead letter of a command: who asked for it, and the pattern that sent it. */
export function commandDied(record: LogRecord, death: Death): Pick<Effects, "result" | "records"> {
  const { consumer, generation, redrives, code, message, now } = death;
  // Commands are handled by the consumer that has the name of its service.
  const by = { service: consumer, generation, redrives, now };
  const answer = answerTo(record, { outcome: "dead", code, detail: message }, by);
  const result: OperationResult = { operation: operationOf(record), state: "failed", detail: code };
  return { ...(record.hops > 0 ? {} : { result }), ...(answer === undefined ? {} : { records: [answer] }) };
}

function textOf({ refused, detail }: Refusal): { readonly code: string; readonly detail?: string } {
  return { code: String(refused), ...(detail === undefined ? {} : { detail: String(detail) }) };
}

/** A command from outside handlers is its operation; an edited one has the original as its cause. */
function operationOf(record: LogRecord): string {
  return record.causationId ?? record.id;
}

function isRefusal(returned: unknown): returned is Refusal {
  return typeof returned === "object" && returned !== null && (returned as Partial<Refusal>).refused !== undefined;
}
