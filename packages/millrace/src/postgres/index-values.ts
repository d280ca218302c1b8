import type { IndexValue } from "../store/document-query.js";

const kinds = { number: 1, text: 2, absent: 3 } as const;

/** The first byte of each kind: values of a kind are between its byte and the next. */
export const textsFrom = Buffer.from([kinds.text]);
const absentFrom = Buffer.from([kinds.absent]);

/**
 * A value of an index as bytes that sort as values do: numbers by size, then texts by their UTF-8, then absent ones. A
 * number is its IEEE 754 double, most significant byte first, with the sign turned, and of negative ones all bits.
 */
export function indexBytes(value: IndexValue): Buffer {
  if (value === null) return absentFrom;
  if (typeof value === "string") return Buffer.concat([textsFrom, Buffer.from(value)]);
  const bytes = Buffer.alloc(9);
  bytes[0] = kinds.number;
  // Zero has two doubles.
  bytes.writeDoubleBE(value === 0 ? 0 : value, 1);
  if ((bytes[1] as number) >= 0x80) for (let at = 1; at < 9; at += 1) bytes[at] = ~(bytes[at] as number) & 0xff;
  else bytes[1] = (bytes[1] as number) | 0x80;
  return bytes;
}
