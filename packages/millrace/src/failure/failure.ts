import { type FailureCode, failureCodes, type Verdict } from "./codes.js";

/** What a failure carries beside its message. */
export interface FailureOptions {
  /** The error that led to this one. */
  readonly cause?: unknown;
  /** Facts for programs: ids, names, paths. No personal data. */
  readonly details?: Readonly<Record<string, unknown>>;
}

/**
 * The one error class of Millrace. Match on `code`, never on the message.
 *
 * The message says what, which and where, and what to do next; it holds no personal data.
 *
 * @example
 * ```ts
 * import { Failure, isFailure } from "millrace";
 *
 * try {
 *   throw new Failure("NOT_YET", "order o-1 has not been placed yet");
 * } catch (error) {
 *   if (!isFailure(error, "NOT_YET")) throw error;
 * }
 * ```
 */
export class Failure extends Error {
  readonly code: FailureCode;
  readonly details: Readonly<Record<string, unknown>>;

  constructor(code: FailureCode, message: string, options?: FailureOptions) {
    super(message, options !== undefined && "cause" in options ? { cause: options.cause } : undefined);
    this.name = "Failure";
    this.code = code;
    this.details = options?.details ?? {};
  }

  /** What the runtime does next. */
  get verdict(): Verdict {
    return failureCodes[this.code].verdict;
  }
}

/** Whether an error is a {@link Failure}, and, when a code is given, one of that code. */
export function isFailure(error: unknown, code?: FailureCode): error is Failure {
  return error instanceof Failure && (code === undefined || error.code === code);
}

/** What the runtime does after this error. Errors that Millrace did not raise are `retry`, which is bounded by attempts. */
export function verdictOf(error: unknown): Verdict {
  return isFailure(error) ? error.verdict : "retry";
}

/** The name and message of whatever was thrown: it may be no error, or one whose properties throw. Never throws itself. */
export function describeError(error: unknown): { readonly name: string; readonly message: string } {
  try {
    if (!(error instanceof Error)) return { name: typeof error, message: String(error) };
    const { name, message } = error;
    return {
      name: typeof name === "string" ? name : "Error",
      message: typeof message === "string" ? message : String(message),
    };
  } catch {
    return { name: "Error", message: "what was thrown cannot be described: reading it throws" };
  }
}

/**
 * A short name for a kind of error, so that a thousand dead letters with one reason read as one.
 *
 * Twelve hexadecimal digits over the code (or the error's name) and the message without quoted parts, ids and numbers.
 * Stable between processes and versions of Node.
 */
export function fingerprintOf(error: unknown): string {
  const { name, message } = describeError(error);
  const kind = isFailure(error) ? error.code : name;
  const text = `${kind}\n${withoutParticulars(message)}`;
  return (fnv1a(text, 0x811c9dc5) + fnv1a(text, 0x9747b28c)).slice(0, 12);
}

/** Messages differ in what they quote and count; what is left is the kind. Bounded: a message can be megabytes long. */
function withoutParticulars(message: string): string {
  return message
    .slice(0, 2_000)
    .replace(/"[^"]*"|'[^']*'|`[^`]*`/g, "?")
    .replace(/\b[0-9a-f]{8,}(?:-[0-9a-f]{4,})*\b/gi, "?")
    .replace(/[\w-]*\d[\w-]*/g, "?")
    .replace(/\s+/g, " ")
    .trim();
}

/** FNV-1a over UTF-16 units (Fowler, Noll, Vo; public domain), as eight hexadecimal digits. */
function fnv1a(text: string, start: number): string {
  let hash = start;
  for (let i = 0; i < text.length; i += 1) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return (hash >>> 0).toString(16).padStart(8, "0");
}
