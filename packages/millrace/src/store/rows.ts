import { Failure } from "../failure/failure.js";
import type { Headers, LogRecord, NewRecord } from "../log/log.js";
import type { DueTimer, Registration } from "./store.js";
import type {
  Amendment,
  EntryFailure,
  EntryState,
  EventPlace,
  LaneEntry,
  Operation,
  OperationState,
  Position,
  Range,
} from "./unit.js";

/** A row of mr_positions. */
export interface PositionRow extends Omit<Position, "id" | "finished"> {
  readonly position: number;
  readonly finished: string;
}

/** A row of mr_lane_entries; `failure` and `record` are JSON. */
export interface EntryRow {
  readonly entry: number;
  readonly consumer: string;
  readonly lane: string;
  readonly home: number;
  readonly state: string;
  /** SQLite has no booleans. */
  readonly holds: number | boolean;
  readonly attempt: number;
  readonly due: number;
  readonly redrives: number;
  readonly since: number;
  readonly failure: string | null;
  readonly record: string;
}

/** A row of mr_operations. */
export interface OperationRow {
  readonly operation: string;
  readonly fingerprint: string | null;
  readonly command: string;
  readonly key: string;
  readonly correlation: string;
  readonly state: string;
  readonly refused: string | null;
  readonly detail: string | null;
  readonly created: number;
  readonly finished: number | null;
  readonly events: string | null;
}

/** A row of mr_amendments. */
export interface AmendmentRow {
  /** Of the event as the log has it, where stores keep that. */
  readonly source?: string;
  readonly event?: string;
  readonly consumer: string;
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly act: string;
  readonly id: string | null;
  readonly data: string | null;
  readonly version: number | null;
  readonly reason: string;
  readonly actor: string;
  readonly at: number;
}

/** A row of mr_timers; `record` is JSON. */
export interface TimerRow {
  readonly timer: number;
  readonly service: string;
  readonly name: string | null;
  readonly due: number;
  readonly record: string;
  readonly consumer: string | null;
  readonly topic: string | null;
  readonly partition: number | null;
  readonly offset: number | null;
}

/** A consumer's topics as mr_consumers keeps them: what it hears, without where it started. */
export type Subscriptions = readonly Omit<Registration["topics"][number], "start">[];

/** mr_positions.finished: `start-end` joined by commas, ends exclusive, in rising order; empty for none. */
export function encodeRanges(ranges: readonly Range[]): string {
  let text = "";
  for (const [start, end] of ranges) text += text === "" ? `${start}-${end}` : `,${start}-${end}`;
  return text;
}

/**
 * The inverse of {@link encodeRanges}.
 *
 * @throws {Failure} STORE_DAMAGED when the text is not rising ranges: a guess would skip or repeat events.
 */
export function decodeRanges(text: string): Range[] {
  if (text === "") return [];
  let last = 0;
  return text.split(",").map((part) => {
    const dash = part.indexOf("-");
    const start = Number(part.slice(0, dash));
    const end = Number(part.slice(dash + 1));
    if (dash < 1 || !Number.isSafeInteger(start) || !Number.isSafeInteger(end) || start < last || end <= start) {
      throw new Failure(
        "STORE_DAMAGED",
        `mr_positions.finished is damaged: "${text.slice(0, 80)}"; keep a copy and restore a backup`,
      );
    }
    last = end;
    return [start, end];
  });
}

/** A consumer's standing in one partition. */
export function decodePosition(row: PositionRow): Position {
  return {
    id: row.position,
    consumer: row.consumer,
    topic: row.topic,
    partition: row.partition,
    epoch: row.epoch,
    generation: row.generation,
    crashes: row.crashes,
    frontier: row.frontier,
    finished: decodeRanges(row.finished),
  };
}

/** mr_consumers.topics. */
export function encodeSubscriptions(topics: Registration["topics"]): string {
  return JSON.stringify(topics.map(({ topic, incarnation, types }) => ({ topic, incarnation, types })));
}

/** The inverse of {@link encodeSubscriptions}. */
export function decodeSubscriptions(text: string): Subscriptions {
  return parse<Subscriptions>(text, "mr_consumers.topics");
}

/** A record as lane entries keep it: what was read, whole, so that it outlives the log's retention. */
export function encodeRecord(record: LogRecord): string {
  return JSON.stringify(record.bytes === undefined ? record : { ...record, bytes: base64(record.bytes) });
}

type RecordJson = Omit<LogRecord, "causationId" | "headers" | "data" | "bytes"> & {
  readonly causationId?: string;
  readonly headers?: Headers;
  readonly data?: unknown;
  readonly bytes?: string;
};

/** The inverse of {@link encodeRecord}. */
export function decodeRecord(text: string): LogRecord {
  const json = parse<RecordJson>(text, "mr_lane_entries.record");
  return {
    ...json,
    causationId: json.causationId,
    headers: json.headers,
    data: json.data,
    bytes: json.bytes === undefined ? undefined : Buffer.from(json.bytes, "base64"),
  };
}

/** A lane entry. */
export function decodeEntry(row: EntryRow): LaneEntry {
  return {
    entry: row.entry,
    consumer: row.consumer,
    lane: row.lane,
    home: row.home,
    state: row.state as EntryState,
    holds: Boolean(row.holds),
    attempt: row.attempt,
    due: row.due,
    redrives: row.redrives,
    since: row.since,
    failure: row.failure === null ? undefined : parse<EntryFailure>(row.failure, "mr_lane_entries.failure"),
    record: decodeRecord(row.record),
    size: row.record.length,
  };
}

/** An operation. */
export function decodeOperation(row: OperationRow): Operation {
  return {
    id: row.operation,
    command: row.command,
    key: row.key,
    correlationId: row.correlation,
    state: row.state as OperationState,
    ...(row.refused === null ? {} : { refused: row.refused }),
    ...(row.detail === null ? {} : { detail: row.detail }),
    ...(row.events === null ? {} : { events: parse<readonly EventPlace[]>(row.events, "mr_operations.events") }),
    fingerprint: row.fingerprint ?? undefined,
    created: row.created,
    finished: row.finished ?? undefined,
  };
}

/** An amendment. */
export function decodeAmendment(row: AmendmentRow): Amendment {
  return {
    consumer: row.consumer,
    topic: row.topic,
    partition: row.partition,
    offset: row.offset,
    act: row.act as Amendment["act"],
    id: row.id ?? undefined,
    data: row.data ?? undefined,
    version: row.version ?? undefined,
    reason: row.reason,
    actor: row.actor,
    at: row.at,
    ...(row.source === undefined || row.event === undefined ? {} : { event: { source: row.source, id: row.event } }),
  };
}

/** A timer's message. Its data stays the text, or the bytes, that it was. */
export function encodeTimer(record: Omit<NewRecord, "offset">): string {
  const { data, ...rest } = record;
  return JSON.stringify(typeof data === "string" ? { ...rest, data } : { ...rest, bytes: base64(data) });
}

type TimerJson = Omit<NewRecord, "offset" | "correlationId" | "causationId" | "headers" | "data"> & {
  readonly correlationId?: string;
  readonly causationId?: string;
  readonly headers?: Headers;
  readonly data?: string;
  readonly bytes?: string;
};

/** A timer with its message, the inverse of {@link encodeTimer}. */
export function decodeTimer(row: TimerRow): DueTimer {
  const { bytes, ...json } = parse<TimerJson>(row.record, "mr_timers.record");
  const { consumer, topic, partition, offset } = row;
  const known = consumer !== null && topic !== null && partition !== null && offset !== null;
  return {
    timer: row.timer,
    service: row.service,
    name: row.name ?? undefined,
    due: row.due,
    record: {
      ...json,
      correlationId: json.correlationId,
      causationId: json.causationId,
      headers: json.headers,
      data: json.data ?? Buffer.from(bytes ?? "", "base64"),
    },
    armed: known ? { consumer, topic, partition, offset } : undefined,
  };
}

const base64 = (bytes: Uint8Array) => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("base64");

function parse<T>(text: string, column: string): T {
  try {
    return JSON.parse(text) as T;
  } catch (cause) {
    throw new Failure("STORE_DAMAGED", `a row of ${column} is not JSON; keep a copy and restore a backup`, {
      cause,
    });
  }
}
