import type { Awaitable, LogRecord, TopicShape } from "../log/log.js";
import type { Build } from "./builds.js";
import type { Job, JobExport, JobItem, JobItemQuery } from "./jobs.js";
import type { Seek, SeekStep } from "./seek.js";
import type { DueTimer, ScheduleRow, StoredDocument } from "./store.js";
import type { StreamPage, StreamQuery } from "./stream.js";
import type { Amendment, EntryState, LaneEntry, Operation, Pause, Position } from "./unit.js";

/** Which events to find; all given conditions must hold. Times are ms since the epoch, `until` exclusive. */
export interface EventQuery {
  /** Exact, or a prefix ending in `*`. */
  readonly type?: string;
  readonly topic?: string;
  readonly key?: string;
  readonly source?: string;
  readonly correlationId?: string;
  readonly since?: number;
  readonly until?: number;
  /** Dotted paths into data with the value they must equal (compared as text). */
  readonly data?: readonly {
    readonly path: string;
    readonly op: "=" | ">" | "<" | ">=" | "<=";
    readonly value: string;
  }[];
  /** Newest first when true (default false). */
  readonly newestFirst?: boolean;
  readonly limit: number;
  /** Where the last page ended; opaque. */
  readonly after?: string;
}

export interface EventPage {
  readonly events: readonly LogRecord[];
  readonly next: string | undefined;
  /**
   * Oldest first: where this page stopped looking. Given as `after` later, it yields what was appended since, without
   * gap or repeat, also when this page was empty: this is how a tail follows the log.
   */
  readonly cursor: string;
}

/** A consumer's standing. `lagRecords` counts records of subscribed topics past the frontier, less finished ones. */
export interface ConsumerView {
  readonly consumer: string;
  readonly service: string;
  readonly topics: readonly { readonly topic: string; readonly types: readonly string[] }[];
  /** `start` and `end` are those of the partition, as the log has it. */
  readonly positions: readonly (Position & {
    readonly start: number;
    readonly end: number;
    readonly oldestPendingAt: number | undefined;
  })[];
  readonly lagRecords: number;
  /** `now − append time of the next unprocessed event`; 0 when there is none. */
  readonly lagMs: number;
  readonly parked: number;
  readonly dead: number;
  readonly following: number;
  /** Set while an operator has paused it. */
  readonly paused?: Pause;
}

export interface EntryQuery {
  readonly consumer?: string;
  readonly state?: EntryState;
  readonly fingerprint?: string;
  readonly lane?: string;
  readonly afterEntry?: number;
  /** What the event itself must be. */
  readonly event?: Omit<EventQuery, "limit" | "after" | "newestFirst">;
  readonly limit: number;
}

export interface StoredQuery {
  readonly service: string;
  readonly type: string;
  readonly id?: string;
  readonly field?: string;
  readonly value?: string | number;
  readonly after?: string;
  readonly limit: number;
}

/** Dead letters that fail alike. Times are ms since the epoch, of when they died. */
export interface DeadGroup {
  /** Undefined: of those whose failure was not kept. */
  readonly fingerprint: string | undefined;
  readonly count: number;
  /** Lanes that they stand in. */
  readonly keys: number;
  readonly consumers: readonly string[];
  readonly first: number;
  readonly last: number;
  /** The oldest of them. */
  readonly example: LaneEntry;
}

/** What one consumer made of one event: exactly one of these states. */
export interface Delivery {
  readonly consumer: string;
  readonly state: "applied" | "pending" | "parked" | "dead" | "following" | "skipped";
  readonly entry?: number;
}

export interface AuditRow {
  readonly seq: number;
  readonly at: number;
  readonly actor: string;
  readonly act: string;
  readonly target: string;
  readonly reason: string;
}

/** Reads for people: bounded, never blocking a writer. They work on the file alone, too, while no process runs. */
export interface Inspect {
  topics(): Awaitable<readonly (TopicShape & { readonly records: number; readonly end: number })[]>;
  /** The event with this id, or undefined. Events and commands alike. */
  event(id: string): Awaitable<LogRecord | undefined>;
  events(query: EventQuery): Awaitable<EventPage>;
  /** A page of an aggregate's events. */
  stream(query: StreamQuery): Awaitable<StreamPage>;
  /** Everything with this correlation id, causes before effects; at most `limit`. */
  correlation(id: string, limit: number): Awaitable<readonly LogRecord[]>;
  /** Timers that wait with this correlation id, those due first first; at most `limit`. */
  timers(correlationId: string, limit: number): Awaitable<readonly DueTimer[]>;
  deliveries(record: LogRecord): Awaitable<readonly Delivery[]>;
  consumers(now: number): Awaitable<readonly ConsumerView[]>;
  entries(query: EntryQuery): Awaitable<readonly LaneEntry[]>;
  /** Dead letters by fingerprint, the largest group first. */
  deadGroups(query: { readonly consumer?: string; readonly limit: number }): Awaitable<readonly DeadGroup[]>;
  entry(entry: number): Awaitable<LaneEntry | undefined>;
  /** The kinds of documents that services have stored. */
  documentTypes(): Awaitable<readonly { readonly service: string; readonly name: string }[]>;
  /** Documents of one kind in id order: all, or those whose indexed field has a value, or the one with an id. */
  documents(query: StoredQuery): Awaitable<readonly (StoredDocument & { readonly id: string })[]>;
  amendments(consumer?: string): Awaitable<readonly Amendment[]>;
  /** What a move would do, counted over at most 16 MiB of each topic. */
  seekSteps(seek: Seek): Awaitable<readonly SeekStep[]>;
  /** Jobs, newest first. */
  jobs(limit: number): Awaitable<readonly Job[]>;
  job(job: number): Awaitable<Job | undefined>;
  /** A job's dead letters, in the order of their turns. */
  jobItems(job: number, query: JobItemQuery): Awaitable<readonly JobItem[]>;
  /** What a job keeps, in order, behind the `after`th. */
  jobExports(job: number, page: { readonly after: number; readonly limit: number }): Awaitable<readonly JobExport[]>;
  operation(id: string): Awaitable<Operation | undefined>;
  /** All builds of all views, dropped ones too. */
  builds(): Awaitable<readonly Build[]>;
  schedules(): Awaitable<readonly ScheduleRow[]>;
  audit(limit: number): Awaitable<readonly AuditRow[]>;
  /** Sound or not, in sentences; `integrity` runs SQLite's own check. */
  doctor(): Awaitable<readonly { readonly check: string; readonly ok: boolean; readonly detail: string }[]>;
}
