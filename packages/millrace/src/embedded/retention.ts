import { type LogRecord, outside } from "../log/log.js";
import { blockAt, offsetAt, readBody, readTopics, recordsOf, type TopicHistory, walkBlocks } from "./history.js";
import type { Transact } from "./operate.js";
import { all, first, run } from "./query.js";
import type { Database } from "./sqlite.js";
import { readRegistrations } from "./standing.js";
import { traceBucket } from "./trace.js";

/** How long things are kept that no topic decides about, and where to go on. */
export interface TrimOptions {
  /** For how long, in log time, a repeated (source, id) is recognised (default 30 days). */
  readonly dedupeMs?: number;
  /** For how long a finished operation is kept (default 7 days); with an id of the caller's own, as long as the id is. */
  readonly operationsMs?: number;
  /** `next` of the last call: without it the same first identities and operations are looked at each time. */
  readonly resume?: Sweep;
}

/** How far identities and operations were looked at; after the last one it begins again. */
export interface Sweep {
  readonly source: string;
  readonly id: string;
  readonly operation: string;
}

/** What one call removed. `topics` are those whose log now begins later; the engine keeps `first` in memory, too. */
export interface Trimmed {
  readonly blocks: number;
  readonly identities: number;
  readonly operations: number;
  readonly topics: readonly { readonly name: string; readonly first: number }[];
  /** True when there are more blocks to remove than one call does. */
  readonly more: boolean;
  readonly next: Sweep;
}

/** How often is looked for what is old: where nothing is committed, less and less often. */
export class TrimPace {
  static readonly everyMs = 60_000;
  static readonly moreMs = 1_000;
  #waitMs = TrimPace.everyMs;
  #commits = -1;

  /** How many commits there were before a look, and after it. */
  nextMs(before: number, after: number): number {
    this.#waitMs = before === this.#commits ? Math.min(this.#waitMs * 2, 15 * TrimPace.everyMs) : TrimPace.everyMs;
    this.#commits = after;
    return this.#waitMs;
  }
}

const day = 24 * 60 * 60 * 1_000;
const blocksMax = 100;
const charactersMax = 4 * 1024 * 1024;
/** Identities and operations looked at per call. */
const rowsMax = 5_000;
const start: Sweep = { source: "", id: "", operation: "" };

interface OldBlock {
  readonly topic: TopicHistory;
  readonly pos: number;
  readonly end: number;
  readonly buckets: ReadonlySet<number>;
}

interface IdentityRow {
  readonly source: string;
  readonly id: string;
  readonly topic: number;
  readonly offset: number;
}

/**
 * Removes what is older than its retention: a bounded piece, in one commit if there is anything to do.
 *
 * A block goes when all of it is older than its topic's retention and every position of every consumer registered for
 * the topic is at or past its end: a consumer that is down keeps its events. An identity goes when the log has moved on
 * by the dedupe window since, or when its record went. Finding what is old needs no transaction: only the owner removes.
 */
export function trim(database: Database, transact: Transact, now: number, options: TrimOptions = {}): Trimmed {
  const { dedupeMs = 30 * day, operationsMs = 7 * day, resume = start } = options;
  const topics = readTopics(database);
  const { blocks, more } = oldBlocks(database, topics, now);
  const firsts = firstsAfter(blocks);
  const identities = oldIdentities(database, topics, { resume, dedupeMs });
  const operations = oldOperations(database, resume, now - operationsMs);
  if (blocks.length + identities.old.length + operations.old.length > 0) {
    transact(() => {
      removeBlocks(database, blocks);
      for (const topic of firsts)
        run(database, "UPDATE mr_topics SET first = ? WHERE name = ?", topic.first, topic.name);
      removeIdentities(database, identities.old);
      removeOperations(database, operations.old);
    });
  }
  return {
    blocks: blocks.length,
    identities: identities.old.length,
    operations: operations.old.length,
    topics: firsts,
    more,
    next: { ...identities.next, ...operations.next },
  };
}

interface Identities {
  readonly old: readonly IdentityRow[];
  readonly next: Pick<Sweep, "source" | "id">;
}

interface IdentitySweep {
  readonly resume: Sweep;
  readonly dedupeMs: number;
}

/** Rows do not say when they were made; their offsets do, as append times rise within a topic. */
function oldIdentities(
  database: Database,
  topics: readonly TopicHistory[],
  { resume, dedupeMs }: IdentitySweep,
): Identities {
  const rows = all<IdentityRow>(
    database,
    "SELECT source, id, topic, offset FROM mr_identities WHERE (source, id) > (?, ?) ORDER BY source, id LIMIT ?",
    resume.source,
    resume.id,
    rowsMax,
  );
  const { source, id } = (rows.length === rowsMax ? rows.at(-1) : undefined) ?? start;
  if (rows.length === 0) return { old: [], next: { source, id } };
  const horizons = new Map(topics.map((topic) => [topic.id, dedupeHorizon(database, topic, dedupeMs)]));
  return { old: rows.filter((row) => row.offset < (horizons.get(row.topic) ?? 0)), next: { source, id } };
}

/** The offset below which the log has moved on by more than the window. */
function dedupeHorizon(database: Database, topic: TopicHistory, dedupeMs: number): number {
  const newest = blockAt(database, topic, topic.end);
  return newest === undefined ? topic.first : offsetAt(database, topic, newest.appended - dedupeMs);
}

interface Operations {
  readonly old: readonly string[];
  readonly next: Pick<Sweep, "operation">;
}

function oldOperations(database: Database, resume: Sweep, before: number): Operations {
  const rows = all<{ operation: string; finished: number | null; named: number }>(
    database,
    `SELECT operation, finished, EXISTS (SELECT 1 FROM mr_identities WHERE source = ? AND id = operation) AS named
     FROM mr_operations WHERE operation > ? ORDER BY operation LIMIT ?`,
    outside,
    resume.operation,
    rowsMax,
  );
  const { operation } = (rows.length === rowsMax ? rows.at(-1) : undefined) ?? start;
  // While a command's own id is known, a repeat appends nothing: only the operation can answer it.
  const old = rows.filter((row) => row.finished !== null && row.finished < before && row.named === 0);
  return { old: old.map((row) => row.operation), next: { operation } };
}

/** The oldest blocks that may go, at most `blocksMax` over all topics. */
function oldBlocks(
  database: Database,
  topics: readonly TopicHistory[],
  now: number,
): { blocks: OldBlock[]; more: boolean } {
  const blocks: OldBlock[] = [];
  let characters = 0;
  for (const topic of topics) {
    const { retentionMs, streams } = topic.shape;
    // An aggregate's state is the fold of all its events.
    if (retentionMs === undefined || streams === true) continue;
    const floor = lowestFrontier(database, topic);
    for (const block of walkBlocks(database, topic, { from: topic.first, to: topic.end })) {
      if (block.end > floor || block.appended >= now - retentionMs) break;
      if (blocks.length >= blocksMax || characters >= charactersMax) return { blocks, more: true };
      const body = readBody(database, topic, block) ?? "";
      characters += body.length;
      const buckets = new Set(recordsOf(topic, block, body).map(bucketOf));
      blocks.push({ topic, pos: topic.base + block.start, end: block.end, buckets });
    }
  }
  return { blocks, more: false };
}

const bucketOf = (record: LogRecord) => traceBucket(record.id, record.time);

/** How far every consumer of the topic has come. A position that is missing has come nowhere. */
function lowestFrontier(database: Database, topic: TopicHistory): number {
  const { name, partitions } = topic.shape;
  let lowest = topic.end;
  for (const { consumer, topics } of readRegistrations(database)) {
    if (!topics.some((heard) => heard.topic === name)) continue;
    const row = first<{ n: number; frontier: number | null }>(
      database,
      "SELECT count(*) AS n, min(frontier) AS frontier FROM mr_positions WHERE consumer = ? AND topic = ?",
      consumer,
      name,
    );
    if (row === undefined || row.frontier === null || row.n < partitions) return 0;
    lowest = Math.min(lowest, row.frontier);
  }
  return lowest;
}

/** Blocks were found oldest first: a topic's last one says where its log now begins. */
function firstsAfter(blocks: readonly OldBlock[]): Trimmed["topics"] {
  const firsts = new Map(blocks.map((block) => [block.topic.shape.name, block.end]));
  return [...firsts].map(([name, end]) => ({ name, first: end }));
}

function removeBlocks(database: Database, blocks: readonly OldBlock[]): void {
  const block = database.prepare("DELETE FROM mr_log WHERE pos = ?");
  const trace = database.prepare("DELETE FROM mr_trace WHERE bucket = ? AND pos = ?");
  for (const { pos, buckets } of blocks) {
    block.run(pos);
    for (const bucket of buckets) trace.run(bucket, pos);
  }
}

function removeIdentities(database: Database, identities: readonly IdentityRow[]): void {
  const remove = database.prepare("DELETE FROM mr_identities WHERE source = ? AND id = ?");
  for (const { source, id } of identities) remove.run(source, id);
}

function removeOperations(database: Database, operations: readonly string[]): void {
  const remove = database.prepare("DELETE FROM mr_operations WHERE operation = ?");
  for (const id of operations) remove.run(id);
}
