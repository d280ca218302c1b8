/** A value, or a promise of it: an engine in this process answers at once, a remote one later. */
export type Awaitable<T> = T | Promise<T>;

/** The source of commands, and of events in a topic that no service of the app owns. */
export const outside = "outside";

/**
 * A record as the log holds it. `offset` is strictly increasing within a partition, not dense.
 * `data` is the decoded JSON; when the bytes could not be decoded, `data` is undefined, `bytes` holds them raw.
 * Times are ms since the epoch: `time` is the event's own, `appended` the log's.
 */
export interface LogRecord {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly id: string;
  readonly source: string;
  readonly type: string;
  readonly version: number;
  readonly key: string;
  readonly time: number;
  readonly appended: number;
  readonly correlationId: string;
  readonly causationId: string | undefined;
  readonly hops: number;
  readonly headers: Headers | undefined;
  readonly data: unknown;
  readonly bytes: Uint8Array | undefined;
}

/** Seldom used attributes of the envelope. */
export interface Headers {
  readonly actor?: string;
  readonly traceparent?: string;
  readonly tracestate?: string;
  /** Of a command: who hears what becomes of it. Of an event: to whom it replies. See `reply-to.ts`. */
  readonly replyto?: string;
  readonly sequence?: number;
}

/** A record on its way into the log. `data` is JSON text as validated, or foreign bytes as they came. */
export interface NewRecord {
  readonly topic: string;
  readonly partition: number;
  readonly id: string;
  readonly source: string;
  readonly type: string;
  readonly version: number;
  readonly key: string;
  readonly time: number;
  /** Undefined for a root event: its correlation id is its own id. */
  readonly correlationId: string | undefined;
  readonly causationId: string | undefined;
  readonly hops: number;
  readonly headers: Headers | undefined;
  readonly data: string | Uint8Array;
  /** True when the caller chose the id, so that (source, id) must be checked against what the log holds. */
  readonly named: boolean;
  /** Set by the commit that appends the record; for a repeated identity it is the first one's. */
  offset: number;
}

/** A topic as the log knows it. `incarnation` changes when a topic is deleted and made anew. */
export interface TopicShape {
  readonly name: string;
  readonly partitions: number;
  readonly owner: string;
  readonly key: string;
  readonly retentionMs: number | undefined;
  /** Each key is an aggregate's stream: kept whole, and written by its aggregate alone. Once it is, it stays so. */
  readonly streams?: boolean;
  readonly incarnation: string;
}

/** What to read: for each partition the offset to start at, or -1 when that partition is not wanted. */
export interface ReadRequest {
  readonly topic: string;
  readonly from: readonly number[];
  readonly recordsMax: number;
  readonly bytesMax: number;
}

/** `next` holds, for each wanted partition, the offset up to which (exclusive) the batch is complete. */
export interface Batch {
  readonly records: readonly LogRecord[];
  /** About how many bytes each of the records takes as the log keeps it. */
  readonly sizes: readonly number[];
  readonly next: readonly number[];
  /** False when the log may hold more at this moment. */
  readonly atEnd: boolean;
  readonly bytes: number;
}

/** Appends records as they are: for relays and other programs. Handlers publish through the store's commit. */
export interface LogWriter {
  /**
   * Durable when it resolves; sets each record's `offset`.
   *
   * @throws {Failure} EVENT_ID_REUSED when (source, id) is stored with other content.
   */
  append(records: readonly NewRecord[]): Promise<void>;
}

/** Where a record stands. */
export interface RecordPlace {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
}

/** Reads partitions forward. Every read is bounded and done with the engine before it resolves. */
export interface LogReader {
  read(request: ReadRequest): Awaitable<Batch>;
  /** One record; undefined when none is stored there. */
  record(at: RecordPlace): Awaitable<LogRecord | undefined>;
  /** The offset after the last record, for each partition. */
  ends(topic: string): Awaitable<readonly number[]>;
  /** The first offset still stored, for each partition. */
  starts(topic: string): Awaitable<readonly number[]>;
}

/** Finds its way in what the log still holds. */
export interface LogHistory {
  /** For each partition, the first offset whose record reached the log at `at` (ms since the epoch) or later; its end without one. */
  offsetsAt(topic: string, at: number): Awaitable<readonly number[]>;
}

export interface LogAdmin {
  /**
   * Makes the topic, or checks that it is the one declared. Owner and retention follow the declaration.
   *
   * @throws {Failure} PARTITIONS_CHANGED when it exists with another partition count; CONFLICT when it is to hold streams
   * and has records that are none's.
   */
  ensureTopic(topic: Omit<TopicShape, "incarnation">): Awaitable<TopicShape>;
  topics(): Awaitable<readonly TopicShape[]>;
}
