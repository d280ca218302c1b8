import type { StandardJSONSchemaV1, StandardSchemaV1 } from "@standard-schema/spec";
import { Failure } from "../failure/failure.js";
import { hasCostlyPattern, hasOpenPart, prepareJsonSchema, sameShape } from "./json-schema.js";
import { parseJson, toJson } from "./limits.js";
import { compilePatternCheck, compileWireCheck, type Misfit, type WireCheck } from "./wire-check.js";

/** A schema of any library that follows Standard Schema; it must also give its JSON Schema (zod 4 and arktype do). */
export type StandardSchema = StandardSchemaV1;

/** The type of the data that passes a schema. */
export type Out<S extends StandardSchema> = StandardSchemaV1.InferOutput<S>;

/** What the schema's own validation says: the value to store, or where and why it does not fit. */
export type Result =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly path: string; readonly reason: string };

/** A schema made ready for both sides: `validate` before data is written, `check` after it was read. */
export interface CompiledSchema {
  /** Draft 2020-12, input direction: what a reader accepts. */
  readonly jsonSchema: Readonly<Record<string, unknown>>;
  /**
   * The schema's own validation, refinements and defaults included.
   *
   * It runs patterns on JavaScript's own engine, which backtracks. A pattern that could make it slow is therefore run by
   * the linear engine first, on the value as it is given: before the schema trims it, and without the pattern's flags.
   * What remains to the other: a string that the linear engine matches; alternatives before the one that fits; code of refinements, and
   * the pattern that a format is given, like `z.email({ pattern })`.
   *
   * Where values may have parts of any type, what JSON makes of them is validated: a date is a string then, a function is
   * nothing, NaN is null. So what was validated is what is stored.
   *
   * @throws {Failure} PAYLOAD_LIMIT when what JSON makes of such a value is over a limit.
   */
  validate(value: unknown): Result;
  /**
   * The wire check: where and why a value read from somewhere does not fit, or undefined when it does.
   * Fills in defaults of absent properties. Unknown properties pass, because a newer writer may add some.
   */
  check(value: unknown): Misfit | undefined;
}

/**
 * Derives the JSON Schema and refuses what could not be written as JSON and read back alike.
 *
 * The wire check itself is compiled at its first use, which keeps the start fast.
 *
 * @param where what is declared, for messages: `order.placed v1`
 * @throws {Failure} CONTRACT_INVALID
 */
export function compileSchema(schema: StandardSchema, where: string): CompiledSchema {
  const standard = standardOf(schema, where);
  const input = derive(standard, "input", where);
  const output = derive(standard, "output", where);
  if (!sameShape(input, output)) {
    throw invalid(
      where,
      "its schema changes the data (a codec, a pipe between types); declare what is stored and convert in the handler",
    );
  }
  const jsonSchema = prepareJsonSchema(input, { vendor: standard.vendor, where });
  const costly = hasCostlyPattern(jsonSchema);
  const open = standard.vendor !== "zod" || hasOpenPart(output);
  let patternCheck: WireCheck | undefined;
  let wireCheck: WireCheck | undefined;
  return {
    jsonSchema,
    validate(given) {
      const text = open ? toJson(given, where) : undefined;
      if (open && text === undefined) return { ok: false, path: "/", reason: "cannot be written as JSON" };
      const value = text === undefined ? given : parseJson(text, where);
      if (costly) {
        patternCheck ??= compilePatternCheck(jsonSchema, where);
        const misfit = patternCheck(value);
        if (misfit !== undefined) return { ok: false, path: misfit.path, reason: `${misfit.reason}; ${patternHint}` };
      }
      return validateWith(standard, value, where);
    },
    check(value) {
      wireCheck ??= compileWireCheck(jsonSchema, where);
      return wireCheck(value);
    },
  };
}

/** Why a pattern may refuse what the schema would accept. */
export const patternHint =
  "patterns are run without their flags, on what is given: write /^[Aa]b/ for /^ab/i, and trim it before";

type Standard = StandardSchemaV1.Props & Partial<Pick<StandardJSONSchemaV1.Props, "jsonSchema">>;

function standardOf(schema: StandardSchema, where: string): Standard {
  const standard = (schema as Partial<StandardSchema> | undefined | null)?.["~standard"];
  if (standard === undefined || typeof standard.validate !== "function") {
    throw invalid(where, "its schema is not a Standard Schema; use zod 4 or another library that is");
  }
  return standard;
}

function derive(standard: Standard, direction: "input" | "output", where: string): Record<string, unknown> {
  const convert = standard.jsonSchema?.[direction];
  if (convert === undefined) {
    throw invalid(
      where,
      `schemas of ${standard.vendor} do not give a JSON Schema ("~standard".jsonSchema); use zod 4 or arktype, or add the property`,
    );
  }
  try {
    return convert({ target: "draft-2020-12" });
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw invalid(where, `${reason}: ${instead(reason)}`, cause);
  }
}

/** What to write in place of a type that JSON does not have. */
function instead(reason: string): string {
  if (/date/i.test(reason)) return "use z.iso.datetime() and send date.toISOString()";
  if (/bigint/i.test(reason)) return "use z.int() up to 2^53, else a string of digits";
  if (/transform/i.test(reason)) return "declare the data as it is stored, and transform it in the handler";
  if (/map/i.test(reason)) return "use z.record()";
  if (/set/i.test(reason)) return "use z.array()";
  if (/undefined|void/i.test(reason)) return "use .optional() on the property, or z.null()";
  return "declare only what JSON can hold: objects, arrays, strings, numbers, booleans and null";
}

function validateWith(standard: Standard, value: unknown, where: string): Result {
  const result = standard.validate(value);
  if (result instanceof Promise) {
    // Nobody will await it: without this its rejection would end the process.
    result.catch(() => undefined);
    throw invalid(
      where,
      "its schema validates asynchronously, or a check inside it threw; check only the data itself, and look things up in the handler",
    );
  }
  const issue = result.issues?.[0];
  if (issue !== undefined) return { ok: false, path: pointer(issue.path), reason: issue.message };
  return { ok: true, value: (result as StandardSchemaV1.SuccessResult<unknown>).value };
}

/** A JSON pointer (RFC 6901) to a place in the data; control characters do not belong in messages. */
function pointer(path: StandardSchemaV1.Issue["path"]): string {
  if (path === undefined || path.length === 0) return "/";
  let text = "";
  for (const segment of path) {
    const key = String(typeof segment === "object" ? segment.key : segment);
    text += `/${key.replaceAll("~", "~0").replaceAll("/", "~1")}`;
  }
  return text.replace(/[^\x20-\uffff]/g, "?").slice(0, 200);
}

function invalid(where: string, problem: string, cause?: unknown): Failure {
  return new Failure("CONTRACT_INVALID", `${where}: ${problem}`, { cause });
}
