import { contractDeclaration, type Message } from "../contract/contract.js";
import type { FailureCode } from "../failure/codes.js";
import { Failure, isFailure } from "../failure/failure.js";
import { shown } from "../runtime/options.js";
import { refusePromise } from "./promise.js";

/** What halts a consumer when a handler does it, and is one decision's own fault when a saga's or process's function does. */
const ofDecision: ReadonlySet<FailureCode> = new Set([
  "CONTRACT_UNKNOWN",
  "CONTRACT_INVALID",
  "TOPIC_OWNER",
  "OPTION_INVALID",
]);

/**
 * Does what a decision says. What it cannot say fails the event of its instance, and not the other instances.
 *
 * @param where whose decision it is, for the message
 * @throws {Failure} DECISION_INVALID
 */
export function decided<T>(where: string, act: () => T): T {
  try {
    return act();
  } catch (error) {
    if (!isFailure(error) || !ofDecision.has(error.code)) throw error;
    throw new Failure("DECISION_INVALID", `${where}: ${error.message}`, { cause: error, details: error.details });
  }
}

/**
 * A message as a function has made it.
 *
 * @throws {Failure} DECISION_INVALID when it is none, or of the other kind.
 */
export function checkedMessage(
  message: Message<string, unknown>,
  kind: "command" | "event",
  what: string,
): Message<string, unknown> {
  refusePromise(message, what);
  const found = decided(what, () => {
    if (typeof message === "object" && message !== null) return contractDeclaration(message);
    throw new Failure("OPTION_INVALID", `${shown(message)} is no ${kind}; return what a contract makes: pay({ … })`);
  });
  if (found.kind === kind) return message;
  throw new Failure(
    "DECISION_INVALID",
    `${what} is ${found.type}, which is ${articled(found.kind)}, not ${articled(kind)}`,
  );
}

function articled(kind: string): string {
  return kind === "event" ? "an event" : "a command";
}
