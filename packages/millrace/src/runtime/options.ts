import type { FailureCode } from "../failure/codes.js";
import { Failure } from "../failure/failure.js";

/** Every option of a kind; the type sees to it that none is missing. */
export type OptionNames<Options> = { readonly [Name in keyof Options]-?: true };

/**
 * Refuses options that nobody reads: JavaScript passes them on, and a mistyped one would be ignored silently.
 *
 * @param where whose options they are, for the message: `payments, order.placed`
 * @throws {Failure} OPTION_INVALID, or another code of the caller's, naming the option and the nearest that there is.
 */
export function checkOptions<Options extends object>(
  given: Options,
  names: OptionNames<Options>,
  { where, code = "OPTION_INVALID" }: { readonly where: string; readonly code?: FailureCode },
): void {
  if (typeof given !== "object" || given === null || Array.isArray(given))
    throw new Failure(code, `${where}: options are an object, not ${shown(given)}`, { details: { option: "options" } });
  for (const option of Object.keys(given)) {
    if (Object.hasOwn(names, option)) continue;
    const known = Object.keys(names);
    const near = nearest(option, known);
    const hint = near === undefined ? `there are ${known.join(", ")}` : `did you mean ${near}?`;
    throw new Failure(code, `${where}: there is no option ${shown(option)}; ${hint}`, { details: { option } });
  }
}

/**
 * Text that an option must be, like an id; its characters are the caller's to check.
 *
 * @throws {Failure} OPTION_INVALID
 */
export function checkText(given: unknown, where: string): string {
  if (typeof given === "string") return given;
  throw new Failure("OPTION_INVALID", `${where} is ${shown(given)}, which is not a string`, {
    details: { option: where },
  });
}

/**
 * Refuses a value where fields are named, like conditions: null has none, and a list has numbers.
 *
 * @throws {Failure} OPTION_INVALID
 */
export function checkFields(given: unknown, where: string, example: string): void {
  if (typeof given === "object" && given !== null && !Array.isArray(given)) return;
  throw new Failure("OPTION_INVALID", `${where} takes an object, like ${example}, not ${shown(given)}`, {
    details: { option: "where" },
  });
}

/** What somebody gave, for a message: short, and without what an object holds. */
export function shown(given: unknown): string {
  if (typeof given === "string") return JSON.stringify(given.slice(0, 60));
  if (given === null || ["number", "boolean", "undefined", "bigint"].includes(typeof given)) return String(given);
  return Array.isArray(given) ? "a list" : `${typeof given === "object" ? "an" : "a"} ${typeof given}`;
}

/** The name that differs by the fewest letters, a like beginning counting in its favour; none when all are far off. */
function nearest(option: string, names: readonly string[]): string | undefined {
  const written = option.slice(0, 60).toLowerCase();
  const [best] = names
    .map((name) => ({ name, off: distanceOf(written, name.toLowerCase()) - sharedStart(written, name) / 2 }))
    .sort((one, other) => one.off - other.off);
  return best !== undefined && best.off <= Math.max(written.length, best.name.length) / 2 ? best.name : undefined;
}

function sharedStart(one: string, other: string): number {
  let at = 0;
  while (at < one.length && one[at] === other[at]) at += 1;
  return at;
}

/** Letters to insert, delete or replace (Levenshtein). */
function distanceOf(one: string, other: string): number {
  let row = Array.from({ length: other.length + 1 }, (_, index) => index);
  for (const [index, letter] of [...one].entries()) {
    const next = [index + 1];
    for (let at = 1; at <= other.length; at += 1) {
      const replaced = (row[at - 1] as number) + (letter === other[at - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[at] as number) + 1, (next[at - 1] as number) + 1));
    }
    row = next;
  }
  return row[other.length] as number;
}
