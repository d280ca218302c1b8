import { Failure } from "../failure/failure.js";
import { hasProperty } from "./json-schema.js";

const keyBytesMax = 512;

/**
 * The text of a key or id: a string as it is, a finite number in decimal. Not empty, at most 512 bytes of UTF-8, without
 * control characters or halves of surrogate pairs, since keys become headers and columns.
 */
export function keyText(
  value: unknown,
): { readonly ok: true; readonly key: string } | { readonly ok: false; readonly reason: string } {
  const key = typeof value === "number" && Number.isFinite(value) ? String(value) : value;
  if (typeof key !== "string") return { ok: false, reason: "is the key and must be a string or a number" };
  if (key === "") return { ok: false, reason: "is the key and must not be empty" };
  if (key.length * 3 > keyBytesMax && Buffer.byteLength(key) > keyBytesMax) {
    return { ok: false, reason: `is the key and must be at most ${keyBytesMax} bytes` };
  }
  if (!/^[^\p{Cc}\p{Cs}]*$/u.test(key)) return { ok: false, reason: "is the key and must not hold control characters" };
  return { ok: true, key };
}

/**
 * Refuses a schema without the key field.
 *
 * @throws {Failure} CONTRACT_INVALID
 */
export function requireKey(jsonSchema: Readonly<Record<string, unknown>>, key: string, where: string): void {
  if (hasProperty(jsonSchema, key)) return;
  throw new Failure(
    "CONTRACT_INVALID",
    `${where}: its schema has no field ${JSON.stringify(key)}, which is the key; add the field, or name another key`,
  );
}
