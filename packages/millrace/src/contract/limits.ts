import { isUtf8 } from "node:buffer";
import { Failure } from "../failure/failure.js";

/** What one payload may be at most. Everything that enters is held to these, before it is parsed where that is possible. */
export const limits = { bytesMax: 1_048_576, depthMax: 64, keysMax: 10_000, stringBytesMax: 131_072 } as const;

/** UTF-8 needs at most three bytes for a UTF-16 unit, so that shorter texts need not be measured. */
const utf8BytesPerUnit = 3;

/** A text of at most so many units holds no string that is too long. */
const stringUnitsSafe = Math.floor(limits.stringBytesMax / utf8BytesPerUnit);

/**
 * Refuses a value that is too deep, has too many keys, a string that is too long or holds NUL, or a key that could
 * change an object's prototype. Circular values are too deep. Does not measure the whole.
 *
 * @param where what the value is, for the message: `order.placed v1`
 * @throws {Failure} PAYLOAD_LIMIT
 */
export function checkLimits(value: unknown, where: string): void {
  checkShape(value, where);
  checkStrings(value, where);
}

/**
 * The part of {@link checkLimits} that keeps a validator safe: depth, number of keys and forbidden keys. What it lets
 * pass is finite; its strings are checked when it is text.
 *
 * @throws {Failure} PAYLOAD_LIMIT
 */
export function checkShape(value: unknown, where: string): void {
  if (typeof value === "object" && value !== null) countKeys(value, where, 0, 0);
}

/** Keys are counted in the result, which keeps the walk free of allocations: every message passes here. */
function countKeys(value: object, where: string, depth: number, keysBefore: number): number {
  if (depth >= limits.depthMax) throw tooDeep(where);
  let keys = keysBefore;
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i += 1) {
      const item: unknown = value[i];
      if (typeof item === "object" && item !== null) keys = countKeys(item, where, depth + 1, keys);
    }
    return keys;
  }
  const record = value as Record<string, unknown>;
  for (const key in record) {
    keys += 1;
    const child = record[key];
    if (key === "__proto__" || (key === "constructor" && isPrototypeCarrier(child))) throw forbiddenKey(where, key);
    if (typeof child === "object" && child !== null) keys = countKeys(child, where, depth + 1, keys);
  }
  if (keys > limits.keysMax) throw tooManyKeys(where);
  return keys;
}

function isPrototypeCarrier(value: unknown): boolean {
  return typeof value === "object" && value !== null && Object.hasOwn(value, "prototype");
}

/** Only for values whose shape is checked. */
function checkStrings(value: unknown, where: string): void {
  if (typeof value === "string") checkString(value, where);
  else if (typeof value === "object" && value !== null) {
    for (const [key, child] of Object.entries(value)) {
      checkString(key, where);
      checkStrings(child, where);
    }
  }
}

function checkString(text: string, where: string): void {
  if (text.length * utf8BytesPerUnit > limits.stringBytesMax && Buffer.byteLength(text) > limits.stringBytesMax) {
    throw limit(
      where,
      `has a string of more than ${limits.stringBytesMax} bytes`,
      "store large texts elsewhere and carry a reference",
    );
  }
  if (text.includes("\0"))
    throw limit(where, "has a NUL character in a string", "remove it: databases cannot store it");
}

/**
 * The JSON text of a value whose shape is checked, or undefined when it has none (a function, a bigint).
 *
 * @throws {Failure} PAYLOAD_LIMIT when the whole or a string in it is too large, or a string holds NUL.
 */
export function toJson(value: unknown, where: string): string | undefined {
  const text = stringify(value);
  if (text === undefined) return undefined;
  checkSize(text, where);
  // One search of the text in place of one per string: JSON writes NUL as an escape, and a small text has no long strings.
  if (text.length > stringUnitsSafe || text.includes("\\u0000")) checkStrings(value, where);
  return text;
}

function stringify(value: unknown): string | undefined {
  try {
    return JSON.stringify(value);
  } catch {
    return undefined;
  }
}

function checkSize(text: string, where: string): void {
  if (text.length * utf8BytesPerUnit > limits.bytesMax && Buffer.byteLength(text) > limits.bytesMax) {
    throw tooLarge(where);
  }
}

/**
 * Parses JSON that somebody else wrote. Size and depth are checked before the parser runs, the rest after it.
 *
 * @param where what the text is, for the message: `body of POST /orders`
 * @throws {Failure} PAYLOAD_LIMIT when it goes over a limit or holds a forbidden key or NUL.
 * @throws {Failure} RECORD_UNDECODABLE when it is not JSON, or its bytes are not UTF-8.
 */
export function parseJson(input: string | Uint8Array, where: string): unknown {
  const text = typeof input === "string" ? input : decode(input, where);
  checkSize(text, where);
  checkDepth(text, where);
  const value = parse(text, where);
  if (needsWalk(text)) checkLimits(value, where);
  return value;
}

function decode(bytes: Uint8Array, where: string): string {
  if (bytes.byteLength > limits.bytesMax) throw tooLarge(where);
  const buffer = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const text = buffer.toString("utf8");
  // Decoding puts U+FFFD for every wrong byte: only texts with one need a second look.
  if (text.includes("\ufffd") && !isUtf8(bytes)) throw undecodable(where, "its bytes are not UTF-8");
  return text;
}

function parse(text: string, where: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    // The parser's own message quotes the data, which may be personal: it stays in the cause.
    throw undecodable(where, "it is not JSON", cause);
  }
}

/** Up to this, a text has no room for too many keys (each is at least `"":0,`) or too long a string. */
const unitsSafe = Math.min(limits.keysMax * 4, stringUnitsSafe);

/** Most texts are small and plain, which four native searches prove faster than a walk: odd keys and NUL need `\u` or their own name. */
function needsWalk(text: string): boolean {
  return (
    text.length > unitsSafe || text.includes("\\u") || text.includes("__proto__") || text.includes('"constructor"')
  );
}

/** Depth of nested brackets outside strings. Few brackets cannot nest deeply, so that small texts are only searched. */
function checkDepth(text: string, where: string): void {
  if (bracketsUpTo(text, limits.depthMax + 1) <= limits.depthMax) return;
  let depth = 0;
  for (let i = 0; i < text.length; i += 1) {
    const code = text.charCodeAt(i);
    if (code === 34) i = endOfString(text, i);
    else if (code === 123 || code === 91) {
      depth += 1;
      if (depth > limits.depthMax) throw tooDeep(where);
    } else if (code === 125 || code === 93) depth -= 1;
  }
}

function bracketsUpTo(text: string, max: number): number {
  let count = 0;
  for (const bracket of "{[") {
    for (let at = text.indexOf(bracket); at !== -1 && count < max; at = text.indexOf(bracket, at + 1)) count += 1;
  }
  return count;
}

/** The index of the closing quote: the next one with an even number of backslashes before it. */
function endOfString(text: string, start: number): number {
  for (let end = text.indexOf('"', start + 1); end !== -1; end = text.indexOf('"', end + 1)) {
    let slashes = 0;
    while (text.charCodeAt(end - 1 - slashes) === 92) slashes += 1;
    if (slashes % 2 === 0) return end;
  }
  return text.length;
}

function limit(where: string, problem: string, fix: string): Failure {
  return new Failure("PAYLOAD_LIMIT", `${where}: ${problem}; ${fix}`);
}
const tooLarge = (where: string): Failure =>
  limit(where, `is larger than ${limits.bytesMax} bytes`, "store large content elsewhere and carry a reference");
const tooDeep = (where: string): Failure =>
  limit(where, `is nested deeper than ${limits.depthMax} levels, or refers to itself`, "flatten it");
const tooManyKeys = (where: string): Failure =>
  limit(where, `has more than ${limits.keysMax} keys`, "split it into several messages");
const forbiddenKey = (where: string, key: string): Failure =>
  limit(where, `has the key "${key}", which can change an object's prototype`, "rename it");
const undecodable = (where: string, problem: string, cause?: unknown): Failure =>
  new Failure("RECORD_UNDECODABLE", `${where}: ${problem}; find the program that wrote it`, { cause });
