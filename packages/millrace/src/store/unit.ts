import type { Failure } from "../failure/failure.js";
import type { LogRecord, NewRecord } from "../log/log.js";
import type { Act } from "./operate.js";
import type { Snapshot, StreamRead } from "./stream.js";
import type { NewTimer } from "./timer.js";

/** [start, end): offsets `start` ≤ o < `end`. */
export type Range = readonly [start: number, end: number];

/**
 * One row per (consumer, partition): what is done, and under which epoch. Everything below `frontier` is done;
 * `finished` holds what is done above it. A commit whose epoch is not the stored one is dropped whole.
 */
export interface Position {
  readonly id: number;
  readonly consumer: string;
  readonly topic: string;
  readonly partition: number;
  readonly epoch: number;
  readonly generation: number;
  /** How often in a row the lease was taken over from a process that had died. */
  readonly crashes: number;
  readonly frontier: number;
  readonly finished: readonly Range[];
}

/** What tells two events apart, everywhere. */
export interface EventIdentity {
  readonly source: string;
  readonly id: string;
}

/** An event as a claim names it. Copies of it have the same `time`; `appended` is when this one reached the log. */
export interface ClaimedEvent extends EventIdentity {
  readonly time: number;
  readonly appended: number;
}

/** The row whose change makes a unit impossible to repeat. */
export type Claim =
  /**
   * `offset` of a partition. [`start`, `offset`] becomes finished: the records between passed by unsubscribed. So do the
   * ranges of `covers`: older events of the key, superseded by this one. `events` are the claimed ones, named where the
   * store keeps an inbox.
   */
  | {
      readonly type: "record";
      readonly position: Position;
      readonly start: number;
      readonly offset: number;
      readonly covers?: readonly Range[];
      readonly events?: readonly ClaimedEvent[];
    }
  /**
   * Many records at once, of partitions of one consumer: all of them, or none. When some are taken already, or a lane of
   * theirs has entries, the answer is `held`: they are to be taken one by one.
   */
  | { readonly type: "records"; readonly parts: readonly RecordsPart[]; readonly lanes: readonly string[] }
  /** A redrive counts attempts anew: with `redrives`, what was sent before it is told from what runs after it. */
  | {
      readonly type: "lane-entry";
      readonly position: Position;
      readonly entry: number;
      readonly attempt: number;
      readonly redrives: number;
    }
  | { readonly type: "timer"; readonly timer: number }
  | {
      readonly type: "tick";
      readonly service: string;
      readonly schedule: string;
      readonly tick: number;
      readonly next: number | undefined;
    }
  | { readonly type: "operation"; readonly operation: NewOperation }
  /** A direct publish: its identity, (source, id), is the claim. */
  | { readonly type: "publish" };

/**
 * Records of one partition: each range ends with one that is claimed, those before it passed by or are claimed too.
 * `events` are the claimed ones, named where the store keeps an inbox.
 */
export interface RecordsPart {
  readonly position: Position;
  readonly ranges: readonly Range[];
  readonly events?: readonly ClaimedEvent[];
}

export interface DocumentRead {
  readonly service: string;
  readonly type: string;
  readonly id: string;
  /** The number of the commit that last wrote it; 0 when it was absent. */
  readonly version: number;
}

/** `text` undefined deletes. `indexed` and `unique` hold the values of the declared index fields, in declared order. */
export interface DocumentWrite {
  readonly service: string;
  readonly type: string;
  readonly id: string;
  readonly schema: number;
  readonly text: string | undefined;
  readonly indexed: readonly IndexEntry[];
  /** The unit has read the document, and its index fields had the same values: what the store has of them may stay. */
  readonly indexedAlike?: true;
}
export interface IndexEntry {
  readonly field: string;
  readonly value: string | number | null;
  readonly unique: boolean;
}

/** SQL as data: runs inside the commit. `rows` is the number of rows it must change, if given. */
export interface SqlStatement {
  readonly text: string;
  readonly params: readonly SqlValue[];
  readonly rows: number | undefined;
}
export type SqlValue = string | number | bigint | null | Uint8Array;

/** parked: waits for `due`. dead: given up on. following: behind a parked or dead head. running: a slow handler has it. */
export type EntryState = "parked" | "dead" | "following" | "running";

export interface EntryFailure {
  readonly code: string;
  readonly message: string;
  readonly fingerprint: string;
  readonly at: number;
  /** How many runs have failed; those that only waited are not among them. Absent when all have. */
  readonly failures?: number;
  /** How many processes have died while nothing but this event ran, the present one included while it runs alone. */
  readonly crashes?: number;
}

/** An event taken out of the partition's flow, waiting in its lane. `attempt` counts the runs so far. */
export interface LaneEntry {
  readonly entry: number;
  readonly consumer: string;
  readonly lane: string;
  readonly home: number;
  readonly state: EntryState;
  /** False for a dead letter whose subscription lets its followers go on. */
  readonly holds: boolean;
  readonly attempt: number;
  readonly due: number;
  readonly redrives: number;
  readonly since: number;
  readonly failure: EntryFailure | undefined;
  readonly record: LogRecord;
  /** How long the record's text is in the store. */
  readonly size: number;
}
export type NewEntry = Omit<LaneEntry, "entry" | "size">;

/** What becomes of the lane entry that a unit claims. Without one, the entry is deleted: it succeeded. */
export interface EntryChange {
  readonly state: EntryState;
  readonly holds: boolean;
  readonly attempt: number;
  readonly due: number;
  readonly failure: EntryFailure | undefined;
}

export interface NewOperation {
  readonly id: string;
  readonly command: string;
  readonly key: string;
  readonly correlationId: string;
  /** Of the content, to tell a repeat from another request; undefined when the caller named neither id nor key. */
  readonly fingerprint: string | undefined;
  /** An idempotency key is unique within its scope. */
  readonly idempotency: { readonly scope: string; readonly key: string } | undefined;
}

/** accepted: in the log. committed, refused: handled. failed: dead-lettered. */
export type OperationState = "accepted" | "committed" | "refused" | "failed";

export interface OperationResult {
  readonly operation: string;
  readonly state: Exclude<OperationState, "accepted">;
  readonly refused?: string;
  readonly detail?: string;
}

/** Where an event is in the log, and what it is: enough to tell whether a consumer has handled it. */
export interface EventPlace {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly type: string;
  /** murmur2 of the key: the key itself does not travel. */
  readonly keyHash: number;
  readonly source: string;
  readonly id: string;
}

/** What a consumer has made of an event. held: it is a dead letter, or waits behind one. */
export type Reach = { readonly type: "reached" | "pending" } | { readonly type: "held"; readonly entry: number };

/** A command from outside handlers, and what became of it. Times are ms since the epoch. */
export interface Operation {
  readonly id: string;
  readonly command: string;
  readonly key: string;
  readonly correlationId: string;
  readonly state: OperationState;
  readonly refused?: string;
  readonly detail?: string;
  /** What its owner published in the commit that handled it. */
  readonly events?: readonly EventPlace[];
  readonly fingerprint: string | undefined;
  readonly created: number;
  readonly finished: number | undefined;
}

export interface Amendment {
  readonly consumer: string;
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  /** What the log calls it, where that may hold it at several offsets: what holds for it holds for its copies. */
  readonly event?: EventIdentity;
  readonly act: "skip" | "replace";
  /** The edited event's new id, its data as JSON text, and the version of the contract that the data was checked against. */
  readonly id: string | undefined;
  readonly data: string | undefined;
  readonly version: number | undefined;
  readonly reason: string;
  readonly actor: string;
  readonly at: number;
}

/** Events of a partition below `until` are muted for a consumer: it was moved back for its documents alone. */
export interface Mute {
  readonly topic: string;
  readonly partition: number;
  readonly until: number;
}

/** An operator has paused a consumer: it starts no runs until it is resumed. */
export type Pause = Act;

/** An operator's act, for the audit record. */
export interface AuditNote {
  readonly actor: string;
  readonly act: string;
  readonly target: string;
  readonly reason: string;
}

/** Everything a handler asked for, as data: it may cross to a worker or another process. */
export interface Effects {
  records?: NewRecord[];
  documents?: DocumentWrite[];
  timers?: NewTimer[];
  /** Names of this service's timers to cancel, applied before `timers`. */
  cancels?: { readonly service: string; readonly name: string }[];
  statements?: SqlStatement[];
  /** A new lane entry made from the claimed record. */
  entry?: NewEntry;
  change?: EntryChange;
  result?: OperationResult;
  /** Replaces the one that its stream has. */
  snapshot?: Snapshot;
  audit?: AuditNote[];
}

export interface Unit {
  readonly claim: Claim;
  readonly reads: readonly DocumentRead[];
  /**
   * The stream that an aggregate decided on: checked as reads are, absent ones too. Records of its topic and key are
   * appended to it; they have the sequences that follow its version. Only such a unit writes a topic of streams.
   */
  readonly stream?: StreamRead | undefined;
  readonly effects: Effects;
  /** The lane this unit runs in, when it was not taken from an entry: refused with `held` if the lane has entries. */
  readonly lane: string | undefined;
}

/** Records of a partition that nobody of this consumer subscribed to. */
export interface Progress {
  readonly position: Position;
  readonly start: number;
  readonly end: number;
}

export type Outcome =
  | { readonly type: "committed"; readonly commit: number; readonly entry?: number }
  /** The claim was taken before: the effects are in the store since then. */
  | { readonly type: "already"; readonly operation?: Operation }
  /** Something that was read has changed: run the handler again. */
  | { readonly type: "reload" }
  /** The lane has entries: join its queue. Of many records: take them one by one. Of timers and ticks: not due by the store's clock. */
  | { readonly type: "held" }
  /** The position's epoch is not ours any more. */
  | { readonly type: "fenced" }
  | { readonly type: "failed"; readonly error: Failure };
