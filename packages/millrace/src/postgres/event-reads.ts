import type { LogRecord, NewRecord } from "../log/log.js";
import { isUuid, timePrefixMs } from "../runtime/ids.js";
import { causesFirst } from "../store/causes-first.js";
import { findInLog, type SearchedLog } from "../store/log-search.js";
import { decodeRecord } from "../store/rows.js";
import { decodeOutboxRow, type OutboxRow } from "./outbox-rows.js";
import type { Sight } from "./sight.js";

/** How much of the log is read for one event whose place is not known, and for one whose partition and time are. */
const bytesMax = { search: 16 * 1024 * 1024, located: 1024 * 1024 };
/** By so much the clocks of whoever makes ids, of the database and of the log may differ. */
const clocksMs = 60_000;
/** Of a correlation, so many events are looked up one by one where the log's part of it did not have them. */
const locatedMax = 50;
const sourcesMax = 1_000;

/** An event that a commit has left to be sent, and when that was (ms since the epoch). */
export interface Sent {
  readonly record: NewRecord;
  readonly committed: number;
}

/** What is stored of an event besides the log. */
export interface Traces {
  readonly sent: readonly Sent[];
  /** As a lane entry has it, unless an operator has edited it. */
  readonly waiting: LogRecord | undefined;
  /** When it was committed under an id that its caller chose. */
  readonly named: number | undefined;
}

/** What the tables know of an event by its id. */
export async function readTraces(sight: Sight, id: string): Promise<Traces> {
  const sent = await readSent(sight, "id", id, 1);
  const waiting = await sight.all<{ record: string }>(
    "SELECT record FROM $schema.mr_lane_entries WHERE id = $1 LIMIT 1",
    { limit: 1 },
    id,
  );
  const record = waiting[0] === undefined ? undefined : decodeRecord(waiting[0].record);
  return {
    sent,
    waiting: record?.id === id ? record : undefined,
    named: sent.length > 0 || isUuid(id) ? undefined : await readNamed(sight, id),
  };
}

/** Events of this system by correlation, in the order of their commits. */
export function readSentTogether(sight: Sight, correlation: string, limit: number): Promise<Sent[]> {
  return readSent(sight, "correlation", correlation, limit);
}

async function readSent(sight: Sight, by: "id" | "correlation", value: string, limit: number): Promise<Sent[]> {
  const rows = await sight.all<OutboxRow & { readonly committed: number; readonly seq: number }>(
    `SELECT topic, partition, key, id, source, correlation, committed, record, seq FROM $schema.mr_outbox
     WHERE ${by} = $1 ORDER BY committed, seq LIMIT ${limit}`,
    { order: "committed, seq", limit },
    value,
  );
  return rows.map((row) => ({ record: decodeOutboxRow(row), committed: row.committed }));
}

/** Sources are few, so that each is asked by the key (source, id). */
async function readNamed(sight: Sight, id: string): Promise<number | undefined> {
  const found = await sight.all<{ committed: number }>(
    `(WITH RECURSIVE sources AS (
       (SELECT source FROM $schema.mr_identities ORDER BY source LIMIT 1)
       UNION ALL
       SELECT (SELECT source FROM $schema.mr_identities WHERE source > s.source ORDER BY source LIMIT 1)
       FROM sources AS s WHERE s.source IS NOT NULL)
     SELECT i.committed FROM (SELECT source FROM sources LIMIT ${sourcesMax}) AS s
       JOIN $schema.mr_identities AS i ON i.source = s.source AND i.id = $1)`,
    { order: "committed", limit: 1 },
    id,
  );
  return found[0]?.committed;
}

/** The event with this id: where the tables do not know its place, the log is read from its time on, within a bound. */
export async function findEvent(
  log: SearchedLog,
  topics: readonly string[],
  { id, traces }: { readonly id: string; readonly traces: Traces },
): Promise<LogRecord | undefined> {
  const { sent, waiting, named } = traces;
  if (waiting !== undefined) return waiting;
  const [first] = sent;
  if (first !== undefined) return (await locate(log, first)) ?? unsent(first);
  const sought = { topics, limit: 1, bytesMax: bytesMax.search, matches: (record: LogRecord) => record.id === id };
  const since = named ?? (isUuid(id) ? timePrefixMs(id, 0) : undefined);
  const [found] = since === undefined ? [] : await findInLog(log, { ...sought, since: since - clocksMs });
  if (found !== undefined) return found;
  // Other programs' ids may say nothing of their time: then it is looked for among the newest.
  const [recent] = await findInLog(log, { ...sought, since: 0, newestFirst: true });
  return recent;
}

/** Everything with this correlation id, causes before effects; the earliest `limit`. */
export async function findCorrelation(
  log: SearchedLog,
  topics: readonly string[],
  { id, sent, limit }: { readonly id: string; readonly sent: readonly Sent[]; readonly limit: number },
): Promise<LogRecord[]> {
  const first = sent[0]?.committed;
  if (first === undefined && !isUuid(id)) return [];
  const rooted = isUuid(id) ? timePrefixMs(id, 0) : Number.POSITIVE_INFINITY;
  const found = await findInLog(log, {
    topics,
    since: Math.min(rooted, first ?? Number.POSITIVE_INFINITY) - clocksMs,
    limit,
    bytesMax: bytesMax.search,
    matches: (record) => record.correlationId === id,
  });
  const known = new Set(found.map(identity));
  let located = 0;
  for (const one of sent) {
    if (found.length >= limit) break;
    if (known.has(identity(one.record))) continue;
    located += 1;
    found.push((located <= locatedMax ? await locate(log, one) : undefined) ?? unsent(one));
  }
  return causesFirst(firstOfEach(found));
}

/** An event that was committed then: it stands soon after that in its partition, once it is sent. */
async function locate(log: SearchedLog, { record, committed }: Sent): Promise<LogRecord | undefined> {
  const [found] = await findInLog(log, {
    topics: [record.topic],
    partition: record.partition,
    since: committed - clocksMs,
    limit: 1,
    bytesMax: bytesMax.located,
    matches: ({ id, source }) => id === record.id && source === record.source,
  });
  return found;
}

/** An event that the log does not have yet, or not where it was looked for. */
function unsent({ record, committed }: Sent): LogRecord {
  const { named, data, correlationId, ...rest } = record;
  const text = typeof data === "string" ? data : undefined;
  return {
    ...rest,
    offset: -1,
    appended: committed,
    correlationId: correlationId ?? record.id,
    data: text === undefined ? undefined : JSON.parse(text),
    bytes: typeof data === "string" ? undefined : data,
  };
}

/** The log may hold copies of an event. */
function firstOfEach(records: readonly LogRecord[]): LogRecord[] {
  const byIdentity = new Map<string, LogRecord>();
  for (const record of records) if (!byIdentity.has(identity(record))) byIdentity.set(identity(record), record);
  return [...byIdentity.values()];
}

const identity = ({ source, id }: { readonly source: string; readonly id: string }) => JSON.stringify([source, id]);
