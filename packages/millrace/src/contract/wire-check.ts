import { Ajv2020, type ErrorObject, type Options, type ValidateFunction } from "ajv/dist/2020.js";
import formatPlugin from "ajv-formats";
import { Failure } from "../failure/failure.js";
import { linearEngine } from "./pattern.js";

/** Where and why a value does not fit, and the JSON Schema keyword that says so. */
export interface Misfit {
  readonly path: string;
  readonly reason: string;
  readonly keyword: string;
}

/** Why a value does not fit, or undefined when it does. */
export type WireCheck = (value: unknown) => Misfit | undefined;

/**
 * Formats that the wire check knows, beside those of ajv-formats. They are wider than what schema libraries accept (a
 * local time, an address in another alphabet), because a reader must take whatever a writer was allowed to write.
 */
const wide: Readonly<Record<string, RegExp>> = {
  "date-time": /^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:[Zz]|[+-]\d\d:?\d\d)?$/,
  time: /^\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:[Zz]|[+-]\d\d:?\d\d)?$/,
  email: /^[^\s@]+@[^\s@]+$/,
  uri: /^[A-Za-z][A-Za-z0-9+.-]*:/,
};

/** Formats that need no pattern beside them. */
export const formats: ReadonlySet<string> = new Set([
  "date-time",
  "date",
  "time",
  "duration",
  "email",
  "uuid",
  "ipv4",
  "ipv6",
  "uri",
]);

/** One compiler for all contracts, and one for their patterns; made at the first check. */
let compiler: Ajv2020 | undefined;
let patternCompiler: Ajv2020 | undefined;

/** Not strict: schema libraries and users add keywords and formats of their own, which only describe. */
function openCompiler(options: Options): Ajv2020 {
  const ajv = new Ajv2020({
    ...options,
    strict: false,
    logger: false,
    validateSchema: false,
    // 19.99 / 0.01 is 1998.9999999999998. Up to 10^12 steps, such errors stay below a thousandth of one.
    multipleOfPrecision: 3,
    code: { regExp: linearEngine },
  });
  formatPlugin.default(ajv, { mode: "fast" });
  for (const [name, pattern] of Object.entries(wide)) ajv.addFormat(name, pattern);
  return ajv;
}

/**
 * Compiles a JSON Schema (2020-12) to a function; takes about a millisecond.
 *
 * @throws {Failure} CONTRACT_INVALID when it is not a valid one, or refers to another document.
 */
export function compileWireCheck(jsonSchema: Readonly<Record<string, unknown>>, where: string): WireCheck {
  compiler ??= openCompiler({ useDefaults: true });
  const fits = compile(compiler, jsonSchema, where);
  return (value) => (fits(value) ? undefined : describe(fits.errors ?? []));
}

/**
 * As {@link compileWireCheck}, for patterns alone: all else passes, and the value stays as it is.
 *
 * @throws {Failure} CONTRACT_INVALID
 */
export function compilePatternCheck(jsonSchema: Readonly<Record<string, unknown>>, where: string): WireCheck {
  // A first error of another kind must not hide that of a pattern.
  patternCompiler ??= openCompiler({ allErrors: true });
  const fits = compile(patternCompiler, jsonSchema, where);
  return (value) => {
    if (fits(value)) return undefined;
    const patterns = (fits.errors ?? []).filter(({ keyword }) => keyword === "pattern");
    return patterns.length === 0 ? undefined : describe(patterns);
  };
}

function compile(ajv: Ajv2020, jsonSchema: Readonly<Record<string, unknown>>, where: string): ValidateFunction {
  try {
    return ajv.compile(jsonSchema);
  } catch (cause) {
    throw new Failure("CONTRACT_INVALID", `${where}: its JSON Schema does not compile; see the cause`, { cause });
  }
}

/** Of the errors of all alternatives, the one deepest in the data says most. */
function describe(errors: readonly ErrorObject[]): Misfit {
  let deepest: ErrorObject | undefined;
  for (const error of errors) {
    if (deepest === undefined || error.instancePath.length > deepest.instancePath.length) deepest = error;
  }
  return {
    path: (deepest?.instancePath || "/").replace(/[^\x20-\uffff]/g, "?").slice(0, 200),
    reason: deepest?.message ?? "does not fit",
    keyword: deepest?.keyword ?? "",
  };
}
