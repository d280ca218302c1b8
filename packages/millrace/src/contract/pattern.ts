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

/**
 * Whether JavaScript's own engine is as fast with a pattern: at most one place where it has a choice (a repeat, an
 * option, an alternative), and then the pattern is bound to the start. It backtracks over one choice at most once.
 */
export function isPlain(pattern: string): boolean {
  const choices = pattern.replace(fixed, "").match(/[*+?{|]/g)?.length ?? 0;
  return choices === 0 || (choices === 1 && pattern.startsWith("^"));
}

/** What gives no choice: escapes, classes, the marks of groups, exact counts (of a group, they would multiply its choice). */
const fixed = /\\.|\[(?:\\.|[^\]\\])*\]|\(\?(?::|P?<[^>]*>)|(?<!\))\{\d+\}/g;
