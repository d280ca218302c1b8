import { Failure } from "../failure/failure.js";

/**
 * Refuses a promise where a saga's or a process's function returns a value: as JSON it would be an empty object.
 *
 * @throws {Failure} DECISION_INVALID
 */
export function refusePromise(value: unknown, what: string): void {
  if (typeof (value as { readonly then?: unknown } | null | undefined)?.then !== "function") return;
  throw new Failure("DECISION_INVALID", `${what} is a promise; it is returned synchronously`);
}
