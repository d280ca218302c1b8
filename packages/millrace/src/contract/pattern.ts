import { RE2JS } from "re2js";
import { Failure } from "../failure/failure.js";

/** What ajv asks of a compiled pattern. */
interface Pattern {
  test(text: string): boolean;
  toString(): string;
}

/**
 * Compiles a pattern of a JSON Schema for an engine whose time grows with the text's length only.
 *
 * JavaScript's own engine takes seconds for `^(a+)+$` on thirty characters. What a linear engine cannot do (looking
 * around, back references, repeats over 1,000) is refused.
 */
function linear(pattern: string): Pattern {
  const compiled = RE2JS.compile(RE2JS.translateRegExp(pattern));
  // ajv keeps patterns apart by their text.
  return { test: (text) => compiled.test(text), toString: () => pattern };
}

/** The engine for ajv's `code.regExp`; `code` names it in generated stand-alone code, which we never generate. */
export const linearEngine = Object.assign(linear, { code: "linear" });

/**
 * Refuses a pattern that no linear engine can run.
 *
 * @throws {Failure} CONTRACT_INVALID
 */
export function checkPattern(pattern: string, where: string): void {
  try {
    linear(pattern);
  } catch (cause) {
    throw new Failure(
      "CONTRACT_INVALID",
      `${where}: the pattern ${pattern} cannot run in bounded time; write it without looking around, back references and repeats over 1,000, or check it with refine()`,
      { cause, details: { pattern } },
    );
  }
}
