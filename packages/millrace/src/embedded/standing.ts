import type { LogRecord } from "../log/log.js";
import { amendedAs } from "../store/builds.js";
import type { ConsumerView, Delivery } from "../store/inspect.js";
import { isDone } from "../store/position.js";
import { type ConsumerRow, decodeRegistered, type RegisteredConsumer } from "../store/registered.js";
import { decodePosition, decodeRecord, type PositionRow } from "../store/rows.js";
import { consumerView, deliveryOf, type EntryAt, hears } from "../store/standing.js";
import type { EntryState, Position } from "../store/unit.js";
import { readBody, readTopics, recordsOf, type TopicHistory, walkBlocks } from "./history.js";
import { readPauses } from "./pauses.js";
import { all, first } from "./query.js";
import type { Database } from "./sqlite.js";

/** How far ahead of a consumer's lowest frontier its backlog is counted record by record. */
const blocksMax = 64;
const charactersMax = 1024 * 1024;

/** Every registered consumer, by name. */
export function readRegistrations(database: Database): RegisteredConsumer[] {
  return all<ConsumerRow>(database, "SELECT consumer, service, topics FROM mr_consumers ORDER BY consumer").map(
    decodeRegistered,
  );
}

/** The positions of one consumer, or of all. */
export function readPositions(database: Database, consumer?: string): Position[] {
  const rows =
    consumer === undefined
      ? all<PositionRow>(database, "SELECT * FROM mr_positions ORDER BY consumer, topic, partition")
      : all<PositionRow>(database, "SELECT * FROM mr_positions WHERE consumer = ? ORDER BY topic, partition", consumer);
  return rows.map(decodePosition);
}

/**
 * What each consumer that hears this type made of one event. Events before the place where a consumer was told to
 * start count as applied: the file does not keep that place. An event that a slow handler has is `pending`.
 */
export function readDeliveries(database: Database, record: LogRecord): Delivery[] {
  const at = [record.topic, record.partition, record.offset] as const;
  return readRegistrations(database)
    .filter((registered) => hears(registered, record))
    .map(({ consumer }) => {
      const entry = first<EntryAt>(
        database,
        "SELECT entry, state FROM mr_lane_entries WHERE consumer = ? AND topic = ? AND partition = ? AND offset = ?",
        consumer,
        ...at,
      );
      const skip = first(
        database,
        "SELECT 1 FROM mr_amendments WHERE consumer = ? AND topic = ? AND partition = ? AND offset = ? AND act = 'skip'",
        amendedAs(consumer),
        ...at,
      );
      const row = first<PositionRow>(
        database,
        "SELECT * FROM mr_positions WHERE consumer = ? AND topic = ? AND partition = ?",
        consumer,
        record.topic,
        record.partition,
      );
      const position = row === undefined ? undefined : decodePosition(row);
      return deliveryOf(consumer, record.offset, { entry, skipped: skip !== undefined, position });
    });
}

/**
 * Every consumer's standing.
 *
 * Exact while the backlog of a topic fits in the first 64 blocks (1 million characters) past the consumer's lowest
 * frontier. Beyond, `lagRecords` counts every record of the topic, so that it is an upper bound, and a position whose
 * oldest pending record was not met takes the time of the first block not read, so that `lagMs` is an upper bound too.
 */
export function readConsumers(database: Database, now: number): ConsumerView[] {
  const topics = new Map(readTopics(database).map((topic) => [topic.shape.name, topic]));
  const counts = entryCounts(database);
  const pauses = readPauses(database);
  return readRegistrations(database).map((registered) => {
    const { consumer } = registered;
    const positions = readPositions(database, consumer);
    const oldest = new Map<number, number>();
    let pending = 0;
    for (const { topic: name, types } of registered.topics) {
      const topic = topics.get(name);
      const own = positions.filter((position) => position.topic === name);
      if (topic !== undefined)
        pending += countBacklog(database, { topic, types: new Set(types), positions: own }, oldest);
    }
    const entries = counts.get(consumer) ?? {};
    const oldestRunning = entries.running === undefined ? undefined : firstRunning(database, consumer);
    const extent = (topic: string) => ({ start: topics.get(topic)?.first ?? 0, end: topics.get(topic)?.end ?? 0 });
    const paused = pauses.get(consumer);
    return consumerView(registered, { positions, extent, pending, oldest, entries, oldestRunning, paused }, now);
  });
}

interface Backlog {
  readonly topic: TopicHistory;
  readonly types: ReadonlySet<string>;
  readonly positions: readonly Position[];
}

/** Counts what is not done, and notes for each position when its oldest pending record was appended. */
function countBacklog(database: Database, { topic, types, positions }: Backlog, oldest: Map<number, number>): number {
  if (positions.length === 0) return 0;
  const byPartition = new Map(positions.map((position) => [position.partition, position]));
  const from = Math.max(topic.first, Math.min(...positions.map((position) => position.frontier)));
  let pending = 0;
  let blocks = 0;
  let characters = 0;
  for (const block of walkBlocks(database, topic, { from, to: topic.end })) {
    if (blocks >= blocksMax || characters >= charactersMax) {
      for (const { id, frontier } of positions)
        if (frontier < topic.end && !oldest.has(id)) oldest.set(id, block.appended);
      return pending + topic.end - block.start;
    }
    const body = readBody(database, topic, block) ?? "";
    blocks += 1;
    characters += body.length;
    for (const record of recordsOf(topic, block, body)) {
      const position = byPartition.get(record.partition);
      if (position === undefined || !types.has(record.type) || isDone(position, record.offset)) continue;
      pending += 1;
      if (!oldest.has(position.id)) oldest.set(position.id, record.appended);
    }
  }
  return pending;
}

function entryCounts(database: Database): Map<string, Partial<Record<EntryState, number>>> {
  const rows = all<{ consumer: string; state: EntryState; n: number }>(
    database,
    "SELECT state, consumer, count(*) AS n FROM mr_lane_entries GROUP BY state, consumer",
  );
  const counts = new Map<string, Partial<Record<EntryState, number>>>();
  for (const { state, consumer, n } of rows) counts.set(consumer, { ...counts.get(consumer), [state]: n });
  return counts;
}

function firstRunning(database: Database, consumer: string): number | undefined {
  const row = first<{ record: string }>(
    database,
    "SELECT record FROM mr_lane_entries WHERE state = 'running' AND consumer = ? ORDER BY entry LIMIT 1",
    consumer,
  );
  return row === undefined ? undefined : decodeRecord(row.record).appended;
}
