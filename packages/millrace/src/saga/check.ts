import { type AnyEvent, contractDeclaration } from "../contract/contract.js";
import { Failure } from "../failure/failure.js";
import { shown } from "../runtime/options.js";
import type { StepKind } from "./plan.js";

// What TypeScript refuses, and JavaScript does not: said where it is declared, not when the first instance comes to it.

/** @throws {Failure} OPTION_INVALID when it is no function. */
export function checkFunction(given: unknown, where: string, says: string): void {
  if (typeof given === "function") return;
  throw new Failure("OPTION_INVALID", `${where} is ${shown(given)}; it is a function ${says}`);
}

/** As {@link checkFunction}, for what may be left out. */
export function checkOptional(given: unknown, where: string, says: string): void {
  if (given !== undefined) checkFunction(given, where, says);
}

/** @throws {Failure} OPTION_INVALID when it is anything else than a declared event. */
export function checkEvent(given: unknown, where: string): void {
  const { kind, type } = declarationOf(given) ?? {};
  if (typeof given === "function" && kind === "event") return;
  const is =
    kind === undefined
      ? shown(given)
      : kind === "event"
        ? `a message of ${type}, not the event`
        : `${type}, which is a command`;
  throw new Failure("OPTION_INVALID", `${where} is ${is}; it takes what event() made, like orders.placed`);
}

/** @throws {Failure} OPTION_INVALID when it is no list of declared events. */
export function checkEvents(given: unknown, where: string): void {
  if (!Array.isArray(given)) throw new Failure("OPTION_INVALID", `${where} is ${shown(given)}; it is a list of events`);
  for (const [at, one] of given.entries()) checkEvent(one as AnyEvent, `${where}[${at}]`);
}

/** @throws {Failure} OPTION_INVALID when it is no list of declared events and commands. */
export function checkContracts(given: unknown, where: string): void {
  if (!Array.isArray(given))
    throw new Failure("OPTION_INVALID", `${where} is ${shown(given)}; it is a list of events and commands`);
  for (const [at, one] of given.entries())
    if (typeof one !== "function" || declarationOf(one) === undefined)
      throw new Failure(
        "OPTION_INVALID",
        `${where}[${at}] is ${shown(one)}; it takes what event() or command() made, like orders.placed`,
      );
}

const kinds: readonly StepKind[] = ["compensatable", "pivot", "retriable"];

/** @throws {Failure} OPTION_INVALID when there is no such kind of step. */
export function checkKind(given: unknown, where: string): void {
  if (given === undefined || kinds.includes(given as StepKind)) return;
  throw new Failure("OPTION_INVALID", `${where}: kind is ${shown(given)}; there are ${kinds.join(", ")}`);
}

function declarationOf(given: unknown): { readonly kind: string; readonly type: string } | undefined {
  try {
    return contractDeclaration(given as AnyEvent);
  } catch {
    return undefined;
  }
}
