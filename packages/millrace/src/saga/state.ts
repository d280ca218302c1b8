import { Failure } from "../failure/failure.js";
import { refusePromise } from "./promise.js";

/**
 * A state as a saga's or process's function has made it: JSON, so that it is the same when it is read again. A field that
 * is undefined is as one that is not there.
 *
 * @param what which function made it, of what, for the message
 * @throws {Failure} DECISION_INVALID when it is a promise, undefined, or holds what JSON has not.
 */
export function checkedState(state: unknown, what: string): unknown {
  refusePromise(state, what);
  if (state === undefined)
    throw new Failure("DECISION_INVALID", `${what} is undefined; it returns the state, also when nothing changed`);
  check(state, { what, path: "", depth: 0 });
  return state;
}

interface At {
  readonly what: string;
  readonly path: string;
  readonly depth: number;
}

const depthMax = 64;

function check(value: unknown, at: At): void {
  if (value === null || typeof value === "string" || typeof value === "boolean") return;
  if (typeof value === "number") {
    if (!Number.isFinite(value)) throw refused(at, String(value), "null");
    return;
  }
  if (typeof value !== "object") throw refused(at, `a ${typeof value}`, "text");
  if (at.depth >= depthMax)
    throw refused(at, `deeper than ${depthMax} levels, or holds itself`, "keys of other things");
  const below = (name: string | number): At => ({ ...at, path: `${at.path}/${name}`, depth: at.depth + 1 });
  if (Array.isArray(value)) {
    for (const [index, item] of value.entries()) {
      if (item === undefined) throw refused(below(index), "undefined", "null");
      check(item, below(index));
    }
    return;
  }
  const kind = (Object.getPrototypeOf(value) as object | null)?.constructor?.name ?? "Object";
  if (!isPlain(value)) throw refused(at, `a ${kind}`, instead(kind));
  for (const [name, item] of Object.entries(value)) if (item !== undefined) check(item, below(name));
}

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || prototype === Object.prototype || Object.getPrototypeOf(prototype) === null;
}

function instead(kind: string): string {
  if (kind === "Date") return "its toISOString()";
  if (kind === "Map") return "an object, or a list of pairs";
  return kind === "Set" ? "a list" : "a plain object";
}

function refused({ what, path }: At, is: string, better: string): Failure {
  const where = path === "" ? "is" : `has at ${path}`;
  return new Failure(
    "DECISION_INVALID",
    `${what} ${where} ${is}, which would not be the same when it is read again; a state is JSON: keep ${better}`,
  );
}
