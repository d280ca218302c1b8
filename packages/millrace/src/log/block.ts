import { crc32 } from "node:zlib";
import { Failure } from "../failure/failure.js";
import type { Headers, LogRecord, NewRecord } from "./log.js";

// Grammar of a block's body, which is one JSON array: "[" line *( ",\n" line ) "]"
//   line = "[" id "," partition "," type "," version "," source "," key "," time "," correlation "," causation ","
//          hops "," headers "," data [ "," base64 ] "]"
// correlation is 0 when it equals id, causation is 0 for a root event, headers is 0 when there are none. Foreign bytes
// that are not JSON stand as base64 after a data of null. A line break never occurs within a line.
type Line = [
  id: string,
  partition: number,
  type: string,
  version: number,
  source: string,
  key: string,
  time: number,
  correlation: string | 0,
  causation: string | 0,
  hops: number,
  headers: Headers | 0,
  data: unknown,
  base64?: string,
];

const plain = /^[\x20\x21\x23-\x5b\x5d-\x7e]*$/;
/** JSON of a string; keys, ids and names hardly ever need escaping. */
const quote = (text: string) => (plain.test(text) ? `"${text}"` : JSON.stringify(text));
/** What all records of one contract have in common, written once. */
const contracts = new Map<string, { readonly version: number; readonly source: string; readonly text: string }>();
function contractText(type: string, version: number, source: string): string {
  const known = contracts.get(type);
  if (known !== undefined && known.version === version && known.source === source) return known.text;
  const text = `${JSON.stringify(type)},${version},${JSON.stringify(source)}`;
  if (contracts.size < 10_000) contracts.set(type, { version, source, text });
  return text;
}

/** One record as a line of a block. */
export function encodeLine(record: Omit<NewRecord, "offset">): string {
  const { data } = record;
  const text = typeof data === "string" ? data : foreignJson(data);
  const contract = contractText(record.type, record.version, record.source);
  const head = `["${record.named ? JSON.stringify(record.id).slice(1, -1) : record.id}",${record.partition},${contract},${quote(record.key)},${record.time}`;
  const flow = record.causationId === undefined && record.headers === undefined ? rootFlow(record) : flowText(record);
  if (text !== undefined) return `${head}${flow}${text}]`;
  return `${head}${flow}null,"${Buffer.from(data as Uint8Array).toString("base64")}"]`;
}

function rootFlow(record: Omit<NewRecord, "offset">): string {
  return record.correlationId === undefined && record.hops === 0 ? ",0,0,0,0," : flowText(record);
}

function flowText({ correlationId, causationId, hops, headers }: Omit<NewRecord, "offset">): string {
  const correlation = correlationId === undefined ? "0" : quote(correlationId);
  const causation = causationId === undefined ? "0" : quote(causationId);
  return `,${correlation},${causation},${hops},${headers === undefined ? "0" : JSON.stringify(headers)},`;
}

/** A block's body. */
export function encodeBlock(lines: readonly string[]): string {
  return `[${lines.join(",\n")}]`;
}

/** Foreign bytes as JSON text on one line, or undefined when they are no JSON and to be kept as they are. */
function foreignJson(bytes: Uint8Array): string | undefined {
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    if (isDeep(JSON.parse(text), depthMax)) return undefined;
    // A line break can only stand between tokens: inside of a string it is written as an escape.
    return text.replaceAll("\n", " ");
  } catch {
    return undefined;
  }
}

/** Far past what a consumer takes, and far from where writing it again, in a lane entry, would exhaust the stack. */
const depthMax = 500;

function isDeep(value: unknown, left: number): boolean {
  if (typeof value !== "object" || value === null) return false;
  return left === 0 || Object.values(value).some((child) => isDeep(child, left - 1));
}

/**
 * A block's checksum: SQLite has none, and a flipped bit in a type would let an event pass by unseen. CRC-32 of the body's
 * UTF-8, begun with what stands beside it.
 */
export function sumOf({ count, appended, body }: Omit<StoredBlock, "sum">): number {
  return crc32(body, (count ^ (appended % 2 ** 32)) >>> 0);
}

/** What a row of mr_log says, without its place. */
export interface StoredBlock {
  readonly count: number;
  readonly appended: number;
  readonly body: string;
  readonly sum: number;
}

/**
 * Checks a block that comes from the file.
 *
 * @param where the topic and the block's first offset, for the message
 * @throws {Failure} STORE_DAMAGED when it is not as it was written.
 */
export function assertSound(block: StoredBlock, topic: string, first: number): void {
  if (sumOf(block) === block.sum) return;
  throw new Failure(
    "STORE_DAMAGED",
    `${topic}@${first}: the block of ${block.count} records is not as it was written; stop, keep a copy of the file, and restore a backup`,
  );
}

/** The records of a sound block, in order. */
export function decodeBlock(topic: string, first: number, appended: number, body: string): LogRecord[] {
  return (JSON.parse(body) as Line[]).map((line, index) => recordOf(topic, first + index, appended, line));
}

/** One record of a sound block, without parsing the others. */
export function decodeOne(topic: string, block: BlockText, offset: number): LogRecord | undefined {
  const text = lineAt(block.body, offset - block.first);
  return text === undefined ? undefined : recordOf(topic, offset, block.appended, JSON.parse(text) as Line);
}

/** A block as it is stored. */
export interface BlockText {
  readonly first: number;
  readonly appended: number;
  readonly body: string;
}

/** Some of a sound block's records, at most `most` behind the first `skip` of them, as a block. */
export function cut<Whole extends BlockText & { readonly count: number }>(
  whole: Whole,
  skip: number,
  most: number,
): Whole {
  const start = lineStart(whole.body, skip, 1);
  const count = Math.min(most, whole.count - skip);
  const end = lineStart(whole.body, count, start);
  // Each line but the last one ends with a comma.
  const lines = end === 0 ? whole.body.slice(start, -1) : whole.body.slice(start, end - 2);
  return { ...whole, first: whole.first + skip, count, body: `[${lines}]` };
}

/** Where the line begins that is so many behind the one at `start`; 0 when there are not so many. */
function lineStart(body: string, lines: number, start: number): number {
  let at = start;
  for (let left = lines; left > 0; left -= 1) {
    at = body.indexOf("\n", at) + 1;
    if (at === 0) break;
  }
  return at;
}

function lineAt(body: string, index: number): string | undefined {
  const start = lineStart(body, index, 1);
  if (start === 0) return undefined;
  const end = body.indexOf("\n", start);
  return end < 0 ? body.slice(start, -1) : body.slice(start, end - 1);
}

function recordOf(topic: string, offset: number, appended: number, line: Line): LogRecord {
  return {
    topic,
    partition: line[1],
    offset,
    id: line[0],
    source: line[4],
    type: line[2],
    version: line[3],
    key: line[5],
    time: line[6],
    appended,
    correlationId: line[7] === 0 ? line[0] : line[7],
    causationId: line[8] === 0 ? undefined : line[8],
    hops: line[9],
    headers: line[10] === 0 ? undefined : line[10],
    data: line[12] === undefined ? line[11] : undefined,
    bytes: line[12] === undefined ? undefined : Buffer.from(line[12], "base64"),
  };
}
