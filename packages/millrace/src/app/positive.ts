import { Failure } from "../failure/failure.js";

/**
 * A count.
 *
 * @throws {Failure} OPTION_INVALID when it is no whole number, or below 1.
 */
export function positive(value: number, where: string): number {
  if (Number.isSafeInteger(value) && value > 0) return value;
  throw new Failure("OPTION_INVALID", `${where} takes a whole number from 1 on, not ${String(value)}`);
}
