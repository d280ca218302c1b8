import type { Awaitable } from "../log/log.js";
import type { Build } from "./builds.js";
import type { Changes, ChangesQuery, DocumentFilter, DocumentQuery } from "./document-query.js";
import type { JobsDue } from "./jobs.js";
import type { Snapshot, StreamName, StreamPage, StreamQuery } from "./stream.js";
import type { NewTimer } from "./timer.js";
import type {
  Amendment,
  EntryState,
  EventPlace,
  IndexEntry,
  LaneEntry,
  Mute,
  Operation,
  Outcome,
  Pause,
  Position,
  Progress,
  Reach,
  SqlValue,
  Unit,
} from "./unit.js";

export interface StoredDocument {
  readonly version: number;
  readonly schema: number;
  readonly text: string;
}

/** A consumer as registered: which types of which topics it hears. */
export interface Registration {
  readonly consumer: string;
  readonly service: string;
  readonly topics: readonly {
    readonly topic: string;
    readonly incarnation: string;
    /** Empty when it does not hear the topic any more: then it does not hold up retention, and only its position is kept. */
    readonly types: readonly string[];
    /** For each partition, where a position that does not exist yet starts. */
    readonly start: readonly number[];
  }[];
}

/** The leases of one process, and those among them that others wait for. */
export interface Leased {
  readonly held: readonly Position[];
  readonly surplus: readonly Position[];
}

/** The head of a lane that has entries. */
export interface LaneHead {
  readonly lane: string;
  readonly entry: number;
  readonly state: EntryState;
  readonly due: number;
  /** False when the lane's only entries are dead letters that let others pass. */
  readonly holds: boolean;
}

export interface DueTimer extends NewTimer {
  readonly timer: number;
}

export interface ScheduleRow {
  readonly service: string;
  readonly schedule: string;
  readonly cron: string;
  readonly next: number | undefined;
}

/** How long a store tells copies of an event, in log time. */
export interface Inbox {
  /** What reached the log by so much later than its own time may be a copy of what nobody remembers: it is not handled unasked. */
  readonly windowMs: number;
}

/** The commit and the reads a running process needs. Operators' reads are in `inspect.ts`. */
export interface Store {
  /**
   * The log may hold an event twice: the store remembers, by consumer and generation, the events that claims of records
   * name, and answers `already` to a copy, whose offset it finishes all the same.
   */
  readonly inbox?: Inbox;
  /**
   * Commits a group in one transaction: fence, lock, check, apply. Each unit succeeds or is refused on its own.
   *
   * @throws {Failure} STORE_UNAVAILABLE or STORE_FULL when nothing of the group was committed; send the same again.
   */
  commit(units: readonly Unit[], progress: readonly Progress[]): Awaitable<readonly Outcome[]>;

  readDocument(service: string, type: string, id: string): Awaitable<StoredDocument | undefined>;
  /** Committed documents that fit, in the query's order. */
  findDocuments(query: DocumentQuery): Awaitable<readonly (StoredDocument & { readonly id: string })[]>;
  /** How many fit. */
  countDocuments(filter: DocumentFilter): Awaitable<number>;
  /** Which documents of a type that remembers its changes were written lately. */
  readChanges(query: ChangesQuery): Awaitable<Changes>;
  /**
   * Declares a type and its indexes; index entries of stored documents are made by `indexOf`.
   *
   * @throws {Failure} CONFLICT when stored documents do not fit the indexes.
   */
  ensureDocumentType(type: DocumentTypeShape): Awaitable<void>;

  /** The services that have stored documents of this name. */
  documentServices(type: string): Awaitable<readonly string[]>;

  readStream(query: StreamQuery): Awaitable<StreamPage>;
  readSnapshot(stream: StreamName): Awaitable<Snapshot | undefined>;

  readRegistration(consumer: string): Awaitable<Registration | undefined>;
  /**
   * Saves the registration, and takes the leases that are this process's fair share under a new epoch. A lease that was not
   * given back has lost its holder: that adds 1 to the position's crashes, in the same commit.
   */
  acquire(registration: Registration): Awaitable<readonly Position[]>;
  /**
   * Takes what is free up to the fair share, and says which leases of the consumer this process has now.
   *
   * @throws {Failure} POSITION_MISSING when the consumer is not registered any more.
   */
  leases(consumer: string): Awaitable<Leased>;
  /** Gives leases back, drained: others take them at once. That is no crash, and crashes before are forgotten. */
  release(positions: readonly Position[]): Awaitable<void>;
  /** What may have been under way when the holder before died is done: its crashes are forgotten. */
  recovered(positions: readonly Position[]): Awaitable<void>;
  readPosition(id: number): Awaitable<Position | undefined>;

  readLaneHeads(consumer: string): Awaitable<readonly LaneHead[]>;
  readEntry(entry: number): Awaitable<LaneEntry | undefined>;
  /** The head of one lane, after a commit removed or changed an entry. */
  readLaneHead(consumer: string, lane: string): Awaitable<LaneHead | undefined>;
  readMutes(consumer: string): Awaitable<readonly Mute[]>;
  /** What jobs wait for; undefined when they wait for nothing. */
  dueJobs(): Awaitable<JobsDue | undefined>;
  /** Whether an operator has paused the consumer, and why. */
  readPause(consumer: string): Awaitable<Pause | undefined>;
  readAmendments(consumer: string): Awaitable<readonly Amendment[]>;

  readDueTimers(now: number, limit: number): Awaitable<readonly DueTimer[]>;
  /** When the next timer is due; undefined when there is none. */
  nextTimer(): Awaitable<number | undefined>;
  ensureSchedule(row: ScheduleRow): Awaitable<ScheduleRow>;
  /** What a consumer has made of an event; `reached` also when it does not hear of such events. */
  readReach(consumer: string, place: EventPlace): Awaitable<Reach>;
  readOperation(id: string): Awaitable<Operation | undefined>;
  /** The builds of a service's view, after making the first one of this version: live when none is. */
  ensureBuild(service: string, name: string, version: number): Awaitable<readonly Build[]>;
  /** The builds of a service's view, dropped ones too. */
  readBuilds(service: string, name: string): Awaitable<readonly Build[]>;
  /** Runs each migration of a service that has not run yet, in order, each in a commit of its own. */
  migrate(service: string, migrations: readonly Migration[]): Awaitable<void>;
  /**
   * Rows of a SQL query over the services' own tables.
   *
   * @throws {Failure} OPTION_INVALID when it would write.
   */
  query(text: string, params: readonly SqlValue[]): Awaitable<readonly Record<string, unknown>[]>;
}

/** A change of a service's own tables, which runs once. */
export interface Migration {
  readonly name: string;
  readonly sql: string;
}

export interface DocumentTypeShape {
  readonly service: string;
  readonly type: string;
  readonly indexes: readonly string[];
  readonly unique: readonly string[];
  /** The version of the declaration: index entries of documents of other versions are made from what they migrate to. */
  readonly schema: number;
  /** Which documents a commit changed is remembered: the last thousand commits, at least. */
  readonly changes?: boolean;
  indexOf(text: string, schema: number): readonly IndexEntry[];
}
