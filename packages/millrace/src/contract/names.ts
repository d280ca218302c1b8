import { Failure } from "../failure/failure.js";

const segment = "[a-z][a-z0-9]*(?:-[a-z0-9]+)*";
const kebabName = new RegExp(`^${segment}$`);
const dottedName = new RegExp(`^${segment}(?:\\.${segment})+$`);

/** Names become headers, file names and columns: they are kept short and plain. */
const nameUnitsMax = 120;

/**
 * Refuses the name of an event that is not dotted lower-case, like `order.placed`.
 *
 * @throws {Failure} CONTRACT_INVALID
 */
export function checkEventName(name: string): void {
  check(name, dottedName, "an event", 'write it dotted, in the past tense and lower-case, like "order.placed"');
}

/**
 * Refuses a name that is not kebab-case.
 *
 * @param what whose name it is, for the message: `a command`
 * @throws {Failure} CONTRACT_INVALID
 */
export function checkKebabName(name: string, what: string): void {
  check(name, kebabName, what, 'write it in lower-case kebab-case without a dot, like "process-payment"');
}

function check(name: unknown, form: RegExp, what: string, fix: string): void {
  if (typeof name === "string" && name.length <= nameUnitsMax && form.test(name)) return;
  throw new Failure(
    "CONTRACT_INVALID",
    `${String(JSON.stringify(name)).slice(0, 140)} is not a name for ${what}; ${fix}, at most ${nameUnitsMax} characters`,
  );
}

/**
 * Refuses a version that is not a whole number from 1.
 *
 * @throws {Failure} CONTRACT_INVALID
 */
export function checkVersion(version: number, where: string): void {
  if (Number.isInteger(version) && version >= 1 && version <= 65_535) return;
  throw new Failure(
    "CONTRACT_INVALID",
    `${where}: version is ${String(version)}; write a whole number from 1 to 65535`,
  );
}
