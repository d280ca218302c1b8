import type { Refusal } from "../consumer/handler.js";
import { contractDeclaration, type Message, type Received } from "../contract/contract.js";
import { Failure } from "../failure/failure.js";
import type { AggregateDefinition } from "./definition.js";
import { isThenable } from "./fold.js";

/** What `decide` answered: events to append, none of them when nothing changes, or a refusal. */
export type Decision =
  | { readonly type: "events"; readonly events: readonly Message<string, unknown>[] }
  | { readonly type: "refused"; readonly refusal: Refusal };

/**
 * Asks `decide`, and looks at what it returned. What it throws is its own.
 *
 * @throws {Failure} DECISION_INVALID when that is neither events of the aggregate's topic nor a refusal.
 */
export function decision(
  definition: AggregateDefinition,
  command: Received<string, unknown>,
  state: unknown,
): Decision {
  const answer = definition.decide(command, state);
  const where = `${definition.name} ${command.key}: decide, asked for ${command.type},`;
  if (Array.isArray(answer)) {
    for (const message of answer) checkEvent(definition, message, where);
    return { type: "events", events: answer as readonly Message<string, unknown>[] };
  }
  if (isRefusal(answer)) return { type: "refused", refusal: answer };
  throw invalid(`${where} returned ${described(answer)}; it returns a list of events, or { refused }`);
}

/** What `derive` makes of an event, checked in the same way; the events are of other topics. */
export function derived(
  definition: AggregateDefinition,
  event: Message<string, unknown>,
  state: unknown,
): readonly Message<string, unknown>[] {
  if (definition.derive === undefined) return none;
  const answer = definition.derive(event, state);
  const where = `${definition.name}: derive, given ${event.type},`;
  if (!Array.isArray(answer)) throw invalid(`${where} returned ${described(answer)}; it returns a list of events`);
  return answer as readonly Message<string, unknown>[];
}

const none: readonly Message<string, unknown>[] = [];

function checkEvent({ name, topic }: AggregateDefinition, message: unknown, where: string): void {
  let type: string;
  try {
    const declaration = contractDeclaration(message as Message<string, unknown>);
    if (declaration.topic === topic) return;
    type = declaration.type;
  } catch (cause) {
    throw invalid(
      `${where} returned ${described(message)} among its events; make events by calling their contract`,
      cause,
    );
  }
  throw invalid(`${where} returned ${type}, which is not an event of topic ${name}`);
}

function isRefusal(value: unknown): value is Refusal {
  return typeof value === "object" && value !== null && typeof (value as Partial<Refusal>).refused === "string";
}

function described(value: unknown): string {
  if (isThenable(value)) return "a promise";
  if (typeof value !== "object" || value === null) return String(value);
  const { type } = value as { readonly type?: unknown };
  return typeof type === "string" ? `one message, ${type.slice(0, 120)}` : "an object";
}

function invalid(message: string, cause?: unknown): Failure {
  return new Failure("DECISION_INVALID", message, cause === undefined ? {} : { cause });
}
