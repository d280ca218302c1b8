import { assertSound, decodeBlock, type StoredBlock } from "../log/block.js";
import type { LogRecord, TopicShape } from "../log/log.js";
import { all, first } from "./query.js";
import { offsetSpan } from "./schema.js";
import type { Database } from "./sqlite.js";

/** A row of mr_topics, with the offset that its next record gets. */
export interface TopicHistory {
  readonly id: number;
  readonly base: number;
  readonly shape: TopicShape;
  readonly first: number;
  readonly end: number;
}

/** A block without its body, which may be large. `start` is the offset of its first record. */
export interface BlockHead {
  readonly start: number;
  readonly end: number;
  readonly appended: number;
}

/** Which blocks to walk: those that hold offsets of [from, to). */
export interface Walk {
  readonly from: number;
  readonly to: number;
  readonly backwards?: boolean;
}

interface TopicRow {
  readonly topic: number;
  readonly name: string;
  readonly partitions: number;
  readonly owner: string;
  readonly key: string;
  readonly retention_ms: number | null;
  readonly incarnation: string;
  readonly first: number;
  readonly streams: number;
}

interface HeadRow {
  readonly pos: number;
  readonly count: number;
  readonly appended: number;
}

const headsMax = 128;

/** Every topic of the file, oldest first. */
export function readTopics(database: Database): TopicHistory[] {
  return all<TopicRow>(database, "SELECT * FROM mr_topics ORDER BY topic").map((row) => {
    const base = row.topic * offsetSpan;
    const last = first<HeadRow>(
      database,
      "SELECT pos, count, appended FROM mr_log WHERE pos >= ? AND pos < ? ORDER BY pos DESC LIMIT 1",
      base,
      base + offsetSpan,
    );
    const shape = {
      name: row.name,
      partitions: row.partitions,
      owner: row.owner,
      key: row.key,
      retentionMs: row.retention_ms ?? undefined,
      incarnation: row.incarnation,
      ...(row.streams === 0 ? {} : { streams: true }),
    };
    const end = last === undefined ? row.first : last.pos - base + last.count;
    return { id: row.topic, base, shape, first: row.first, end: Math.max(end, row.first) };
  });
}

/** The last block that begins at or before `offset`. */
export function blockAt(database: Database, topic: TopicHistory, offset: number): BlockHead | undefined {
  const row = first<HeadRow>(
    database,
    "SELECT pos, count, appended FROM mr_log WHERE pos >= ? AND pos <= ? ORDER BY pos DESC LIMIT 1",
    topic.base,
    topic.base + offset,
  );
  return row === undefined ? undefined : headOf(topic, row);
}

/** The blocks of a topic, a page at a time; no statement stays open between two of them. */
export function* walkBlocks(database: Database, topic: TopicHistory, walk: Walk): Generator<BlockHead> {
  let low = topic.base + (blockAt(database, topic, walk.from)?.start ?? walk.from);
  let high = topic.base + walk.to;
  const page = database.prepare(
    `SELECT pos, count, appended FROM mr_log WHERE pos >= ? AND pos < ? ORDER BY pos ${walk.backwards ? "DESC" : "ASC"} LIMIT ${headsMax}`,
  );
  for (;;) {
    const rows = page.all(low, high) as unknown as HeadRow[];
    for (const row of rows) {
      const head = headOf(topic, row);
      if (head.end > walk.from) yield head;
    }
    const last = rows.at(-1);
    if (last === undefined || rows.length < headsMax) return;
    if (walk.backwards) high = last.pos;
    else low = last.pos + 1;
  }
}

/**
 * A block's text; undefined when retention has just removed it.
 *
 * @throws {Failure} STORE_DAMAGED when it is not as it was written.
 */
export function readBody(database: Database, topic: TopicHistory, block: BlockHead): string | undefined {
  const row = first<StoredBlock>(
    database,
    "SELECT count, appended, body, sum FROM mr_log WHERE pos = ?",
    topic.base + block.start,
  );
  if (row !== undefined) assertSound(row, topic.shape.name, block.start);
  return row?.body;
}

/** A block's records. */
export function recordsOf(topic: TopicHistory, block: BlockHead, body: string): LogRecord[] {
  return decodeBlock(topic.shape.name, block.start, block.appended, body);
}

/** The first offset appended at `timeMs` or later, by bisection: append times do not fall within a topic. */
export function offsetAt(database: Database, topic: TopicHistory, timeMs: number): number {
  let low = topic.first;
  let high = topic.end;
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    const block = blockAt(database, topic, middle);
    if (block === undefined || block.appended < timeMs) low = Math.max(middle + 1, block?.end ?? 0);
    else high = Math.max(low, block.start);
  }
  return Math.min(low, topic.end);
}

function headOf(topic: TopicHistory, row: HeadRow): BlockHead {
  const start = row.pos - topic.base;
  return { start, end: start + row.count, appended: row.appended };
}
