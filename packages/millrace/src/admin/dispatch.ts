import { compileWireCheck, type WireCheck } from "../contract/wire-check.js";
import { Failure } from "../failure/failure.js";
import type { Admin } from "./admin.js";
import { calls } from "./calls.js";

const checks = new Map<string, WireCheck>();

/**
 * Makes a call by name with arguments that somebody wrote.
 *
 * @throws {Failure} NOT_FOUND when there is no such call, REQUEST_INVALID when the arguments do not fit it.
 */
export async function dispatch(admin: Admin, name: string, given: unknown): Promise<unknown> {
  if (!Object.hasOwn(calls, name)) throw new Failure("NOT_FOUND", "there is no such call");
  const call = name as keyof Admin;
  let check = checks.get(call);
  if (check === undefined) {
    check = compileWireCheck(calls[call], `admin ${call}`);
    checks.set(call, check);
  }
  const problem = check(given);
  if (problem !== undefined) throw new Failure("REQUEST_INVALID", `${call}: ${problem}`);
  return (admin[call] as (args: unknown) => Promise<unknown>)(given);
}
