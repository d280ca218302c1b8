import { Failure } from "../failure/failure.js";
import { assertSound, decodeBlock, type StoredBlock } from "../log/block.js";
import type { LogRecord } from "../log/log.js";
import { isUuid } from "../runtime/ids.js";
import { causesFirst } from "../store/causes-first.js";
import { eventFilter } from "../store/event-filter.js";
import type { EventPage, EventQuery } from "../store/inspect.js";
import {
  type BlockHead,
  blockAt,
  offsetAt,
  readBody,
  readTopics,
  recordsOf,
  type TopicHistory,
  walkBlocks,
} from "./history.js";
import { all, first } from "./query.js";
import { offsetSpan } from "./schema.js";
import type { Database } from "./sqlite.js";
import { traceBucket } from "./trace.js";

/** What one call reads at most; the page then ends early, with `next`. */
const blocksMax = 8_192;
const charactersMax = 16 * 1024 * 1024;
const eventsMax = 1_000;
const bucketBlocksMax = 20_000;
const sourcesMax = 1_000;

/** One topic's part of a search: what is still to be read of it is [from, to). */
interface Stream {
  readonly topic: TopicHistory;
  readonly blocks: Iterator<BlockHead>;
  from: number;
  to: number;
  head: BlockHead | undefined;
}

/**
 * Events in the order of the log's clock, across topics; `since` and `until` are append times.
 *
 * Reads at most 16 MiB of the log: a page may hold fewer events than asked for, even none, and still have a `next`.
 *
 * @throws {Failure} OPTION_INVALID when `after` is not the `next` of a page of this query.
 */
export function searchEvents(database: Database, query: EventQuery): EventPage {
  const backwards = query.newestFirst === true;
  const limit = Math.min(Math.max(1, query.limit), eventsMax);
  const filter = eventFilter(query);
  const streams = openStreams(database, query, backwards);
  const events: LogRecord[] = [];
  let blocks = 0;
  let characters = 0;
  for (let stream = nextStream(streams, backwards); stream !== undefined; stream = nextStream(streams, backwards)) {
    if (events.length >= limit || blocks >= blocksMax || characters >= charactersMax) break;
    const block = stream.head as BlockHead;
    const body = readBody(database, stream.topic, block) ?? "";
    blocks += 1;
    characters += body.length;
    if (filter.mayMatch(body)) {
      const { from, to } = stream;
      const found = recordsOf(stream.topic, block, body).filter(
        (r) => r.offset >= from && r.offset < to && filter.matches(r),
      );
      if (backwards) found.reverse();
      const taken = found.slice(0, limit - events.length);
      events.push(...taken);
      if (taken.length < found.length) {
        const last = taken.at(-1) as LogRecord;
        if (backwards) stream.to = last.offset;
        else stream.from = last.offset + 1;
        break;
      }
    }
    if (backwards) stream.to = block.start;
    else stream.from = block.end;
    stream.head = next(stream);
  }
  const cursor = encodeCursor(streams, backwards);
  return { events, next: nextStream(streams, backwards) === undefined ? undefined : cursor, cursor };
}

function openStreams(database: Database, query: EventQuery, backwards: boolean): Stream[] {
  const resume = query.after === undefined ? undefined : decodeCursor(query.after, backwards);
  return readTopics(database)
    .filter((topic) => query.topic === undefined || topic.shape.name === query.topic)
    .map((topic) => {
      const mark = resume?.get(topic.id);
      let from = query.since === undefined ? topic.first : offsetAt(database, topic, query.since);
      let to = query.until === undefined ? topic.end : offsetAt(database, topic, query.until);
      if (mark !== undefined && !backwards) from = Math.max(from, mark);
      // Backwards, a topic that was made after the first page is newer than all that this search is about.
      if (backwards && resume !== undefined) to = Math.min(to, mark ?? 0);
      const stream: Stream = {
        topic,
        from,
        to,
        blocks: walkBlocks(database, topic, { from, to, backwards }),
        head: undefined,
      };
      stream.head = next(stream);
      return stream;
    });
}

function next(stream: Stream): BlockHead | undefined {
  if (stream.from >= stream.to) return undefined;
  const result = stream.blocks.next();
  return result.done === true ? undefined : result.value;
}

/** The stream whose head is the oldest, or the newest; topics are few. */
function nextStream(streams: readonly Stream[], backwards: boolean): Stream | undefined {
  let best: Stream | undefined;
  for (const stream of streams) {
    if (stream.head === undefined) continue;
    if (best?.head === undefined) best = stream;
    else if (backwards ? stream.head.appended >= best.head.appended : stream.head.appended < best.head.appended)
      best = stream;
  }
  return best;
}

type Cursor = [direction: "n" | "o", marks: (readonly [topic: number, offset: number])[]];

function encodeCursor(streams: readonly Stream[], backwards: boolean): string {
  const cursor: Cursor = [
    backwards ? "n" : "o",
    streams.map((stream) => [stream.topic.id, backwards ? stream.to : stream.from] as const),
  ];
  return Buffer.from(JSON.stringify(cursor)).toString("base64url");
}

function decodeCursor(text: string, backwards: boolean): Map<number, number> {
  try {
    const [direction, marks] = JSON.parse(Buffer.from(text, "base64url").toString()) as Cursor;
    const sound = direction === (backwards ? "n" : "o") && marks.flat().every((n) => Number.isSafeInteger(n) && n >= 0);
    if (sound) return new Map(marks);
  } catch {
    // Falls through to the failure below, which says what to do.
  }
  throw new Failure("OPTION_INVALID", "after: not the `next` of a page of this query; start again without it");
}

/**
 * The event with this id. Ids that are not UUIDs are found as long as the log remembers the identities that callers
 * chose (30 days of log time by default).
 */
export function findEvent(database: Database, id: string): LogRecord | undefined {
  if (!isUuid(id)) return namedEvent(database, id);
  const needle = `[${JSON.stringify(id)},`;
  for (const record of bucketRecords(database, traceBucket(id, 0), needle)) if (record.id === id) return record;
  return undefined;
}

/** Every event of a correlation, causes before effects; the earliest `limit` of them. */
export function findCorrelation(database: Database, id: string, limit: number): LogRecord[] {
  let bucket = traceBucket(id, 0);
  if (!isUuid(id)) {
    // What such a root causes has ids with the root's time as their prefix.
    const root = namedEvent(database, id);
    if (root === undefined) return [];
    bucket = traceBucket(root.id, root.time);
  }
  const found: LogRecord[] = [];
  for (const record of bucketRecords(database, bucket, JSON.stringify(id))) {
    if (found.length >= limit) break;
    if (record.correlationId === id) found.push(record);
  }
  return causesFirst(found);
}

/** The records of a bucket's blocks, oldest block first, skipping blocks without the needle. */
function* bucketRecords(database: Database, bucket: number, needle: string): Generator<LogRecord> {
  const names = new Map(readTopics(database).map((topic) => [topic.id, topic.shape.name]));
  const heads = all<{ pos: number }>(
    database,
    "SELECT t.pos FROM mr_trace AS t JOIN mr_log AS l ON l.pos = t.pos WHERE t.bucket = ? ORDER BY l.appended, t.pos LIMIT ?",
    bucket,
    bucketBlocksMax,
  );
  const read = database.prepare("SELECT count, appended, body, sum FROM mr_log WHERE pos = ? AND instr(body, ?) > 0");
  for (const { pos } of heads) {
    const block = read.get(pos, needle) as unknown as StoredBlock | undefined;
    if (block === undefined) continue;
    const topic = Math.floor(pos / offsetSpan);
    const [name, first] = [names.get(topic) ?? "", pos - topic * offsetSpan];
    assertSound(block, name, first);
    yield* decodeBlock(name, first, block.appended, block.body);
  }
}

/** The event with an id that its caller chose. Sources are few, so that each is asked by the key (source, id). */
function namedEvent(database: Database, id: string): LogRecord | undefined {
  const topics = readTopics(database);
  let source: string | undefined = "";
  for (let n = 0; n < sourcesMax && source !== undefined; n += 1) {
    const at = first<{ topic: number; offset: number }>(
      database,
      "SELECT topic, offset FROM mr_identities WHERE source = ? AND id = ?",
      source,
      id,
    );
    const topic = topics.find((one) => one.id === at?.topic);
    if (at !== undefined && topic !== undefined) return recordAt(database, topic, at.offset);
    const following: { source: string | null } | undefined = first(
      database,
      "SELECT min(source) AS source FROM mr_identities WHERE source > ?",
      source,
    );
    source = following?.source ?? undefined;
  }
  return undefined;
}

function recordAt(database: Database, topic: TopicHistory, offset: number): LogRecord | undefined {
  const block = blockAt(database, topic, offset);
  const body = block === undefined ? undefined : readBody(database, topic, block);
  if (block === undefined || body === undefined) return undefined;
  return recordsOf(topic, block, body).find((record) => record.offset === offset);
}
