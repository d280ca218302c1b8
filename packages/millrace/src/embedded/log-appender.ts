import { decodeBlock, encodeBlock, encodeLine, sumOf } from "../log/block.js";
import type { NewRecord } from "../log/log.js";
import { isUuid } from "../runtime/ids.js";
import { contentDigest, idReused, notItsStream } from "../store/identity.js";
import type { StreamName } from "../store/stream.js";
import { type Database, prepareRows, type Statement } from "./sqlite.js";
import type { Block, Topic, Topics } from "./topics.js";
import { traceBucket } from "./trace.js";

/** What the group under way appends to one topic. */
interface Growing {
  readonly topic: Topic;
  readonly lines: string[];
  readonly buckets: Set<number>;
  /** Made of the lines when the group is written. */
  blocks: readonly Block[];
}

/** Of a topic of streams, single events are read, each with its block: its blocks are small. */
const streamLinesMax = 32;

/** Collects a group's records by topic and writes one block for each. Offsets are handed out here, inside the transaction. */
export class LogAppender {
  readonly #topics: Topics;
  readonly #block: Statement;
  readonly #trace: Statement;
  readonly #identity: Statement;
  readonly #known: Statement;
  readonly #inBucket: Statement;
  #growing = new Map<string, Growing>();
  /** Ids of one group share their time prefix more often than not: the last bucket is remembered. */
  #lastPrefix = "-";
  #lastBucket = 0;

  constructor(database: Database, topics: Topics) {
    this.#topics = topics;
    this.#block = database.prepare("INSERT INTO mr_log VALUES (?, ?, ?, ?, ?)");
    this.#trace = database.prepare("INSERT INTO mr_trace VALUES (?, ?)");
    this.#identity = database.prepare("INSERT INTO mr_identities VALUES (?, ?, ?, ?, ?)");
    this.#known = prepareRows(database, "SELECT topic, offset, digest FROM mr_identities WHERE source = ? AND id = ?");
    this.#inBucket = prepareRows(
      database,
      "SELECT l.pos, l.appended, l.body FROM mr_trace AS t JOIN mr_log AS l ON l.pos = t.pos WHERE t.bucket = ? AND instr(l.body, ?) > 0 LIMIT 1",
    );
  }

  /**
   * Adds a record to the group, unless the log has it.
   *
   * @throws {Failure} EVENT_ID_REUSED when its identity is stored with other content; TOPIC_OWNER when its topic holds
   *   streams, and it is not of the one that its unit appends to.
   */
  add(record: NewRecord, stream?: StreamName): void {
    const growing = this.#topic(record.topic);
    if (growing.topic.shape.streams === true && (stream?.topic !== record.topic || stream.key !== record.key))
      throw notItsStream(record);
    if (record.named && this.#repeated(record, growing)) return;
    record.offset = growing.topic.end + growing.lines.length;
    growing.lines.push(encodeLine(record));
    growing.buckets.add(this.#bucket(record));
  }

  /**
   * Whether the log holds a unit's records from a commit whose answer was lost; sets their offsets then. A unit of
   * nothing but ids of the caller's own says no: {@link add} recognises those.
   */
  holds(records: readonly NewRecord[]): boolean {
    if (records.every(({ named }) => named)) return false;
    return records.every((record) => {
      const offset = record.named ? this.#knownOffset(record) : this.#tracedOffset(record);
      if (offset !== undefined) record.offset = offset;
      return offset !== undefined;
    });
  }

  #knownOffset(record: NewRecord): number | undefined {
    const row = this.#known.get(record.source, record.id) as [number, number, string] | undefined;
    return row?.[1];
  }

  #tracedOffset(record: NewRecord): number | undefined {
    const bucket = traceBucket(record.id, record.time);
    const row = this.#inBucket.get(bucket, `["${record.id}",`) as [number, number, string] | undefined;
    if (row === undefined) return undefined;
    const [pos, appended, body] = row;
    const first = pos - this.#topics.get(record.topic).base;
    return decodeBlock(record.topic, first, appended, body).find(({ id }) => id === record.id)?.offset;
  }

  write(now: number): void {
    for (const growing of this.#growing.values()) {
      growing.blocks = blocksOf(growing, now);
      for (const { first, count, body } of growing.blocks) {
        const pos = growing.topic.base + first;
        this.#block.run(pos, count, now, body, sumOf({ count, appended: now, body }));
        for (const bucket of growing.buckets) this.#trace.run(bucket, pos);
      }
    }
  }

  /** Characters of the blocks that the group under way has written. */
  get bytes(): number {
    let bytes = 0;
    for (const { blocks } of this.#growing.values()) for (const { body } of blocks) bytes += body.length;
    return bytes;
  }

  /** The transaction is on disk. Returns the topics that grew. */
  keep(): string[] {
    if (this.#growing.size === 0) return [];
    const grown: string[] = [];
    for (const [name, { topic, blocks }] of this.#growing) {
      if (blocks.length === 0) continue;
      for (const block of blocks) topic.grew(block);
      grown.push(name);
    }
    this.#growing = new Map();
    return grown;
  }

  undo(): void {
    this.#growing = new Map();
  }

  #topic(name: string): Growing {
    let growing = this.#growing.get(name);
    if (growing === undefined) {
      growing = { topic: this.#topics.get(name), lines: [], buckets: new Set(), blocks: [] };
      this.#growing.set(name, growing);
    }
    return growing;
  }

  #bucket(record: NewRecord): number {
    // Eight digits, a dash and two more are 40 of the prefix's 48 bits: a bucket's 38 among them.
    if (record.id.startsWith(this.#lastPrefix)) return this.#lastBucket;
    this.#lastBucket = traceBucket(record.id, record.time);
    this.#lastPrefix = isUuid(record.id) ? record.id.slice(0, 11) : "-";
    return this.#lastBucket;
  }

  #repeated(record: NewRecord, growing: Growing): boolean {
    const digest = contentDigest(record);
    const row = this.#known.get(record.source, record.id) as [number, number, string] | undefined;
    if (row !== undefined) {
      if (row[2] !== digest) throw idReused(record);
      record.offset = row[1];
      return true;
    }
    if (isUuid(record.id) && this.#inBucket.get(traceBucket(record.id, record.time), `["${record.id}",`) !== undefined)
      throw idReused(record);
    this.#identity.run(record.source, record.id, growing.topic.id, growing.topic.end + growing.lines.length, digest);
    return false;
  }
}

/** One block; several where single events are read. */
function blocksOf({ topic, lines }: Growing, appended: number): readonly Block[] {
  const most = topic.shape.streams === true ? streamLinesMax : lines.length;
  const blocks: Block[] = [];
  for (let at = 0; at < lines.length; at += most) {
    const part = at === 0 && most >= lines.length ? lines : lines.slice(at, at + most);
    blocks.push({ first: topic.end + at, count: part.length, appended, body: encodeBlock(part) });
  }
  return blocks;
}
