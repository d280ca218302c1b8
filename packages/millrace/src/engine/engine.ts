import type { LogAdmin, LogReader, LogWriter, NewRecord } from "../log/log.js";
import type { Clock } from "../runtime/clock.js";
import type { Logger } from "../runtime/logger.js";
import type { Random } from "../runtime/random.js";
import type { Inspect } from "../store/inspect.js";
import type { Operate } from "../store/operate.js";
import type { Store } from "../store/store.js";
import type { OperationResult } from "../store/unit.js";

/** What an engine needs from the process it runs in. */
export interface EngineContext {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** Names of risks that whoever starts the app accepts, beside those that the engine was made with. */
  readonly acceptRisks?: readonly string[];
}

/** A log and a store that work together. A description: nothing is opened before the app starts. */
export interface Engine {
  readonly name: string;
  /** The folder where the running process leaves its address for the command line; undefined in memory. */
  readonly dir: string | undefined;
  open(context: EngineContext): Promise<OpenEngine>;
}

/** What another process changed that this one may have in memory. */
export interface Change {
  /** Lanes whose entries changed; "all" when this process may have missed some. */
  readonly lanes?: readonly { readonly consumer: string; readonly lane: string }[] | "all";
  /** An operator amended events. */
  readonly amended?: boolean;
  /** An operator paused or resumed consumers. */
  readonly pauses?: boolean;
  /** An operator made or changed a job. */
  readonly jobs?: boolean;
  /** Builds of views were made, swapped or dropped. */
  readonly builds?: boolean;
  /** Timers were armed or cancelled. */
  readonly timers?: boolean;
  /** There may be leases to take, or to give up. */
  readonly leases?: boolean;
}

/** A transaction of the user's own, as `pg` has it; a query builder's is wrapped in such an object. Answers `{ rows }`. */
export interface Transaction {
  query(text: string, values: unknown[]): Promise<unknown>;
}

/** A part of the engine that does not get on, and why: for whoever asks for this process's health. */
export interface Trouble {
  readonly part: string;
  readonly reason: string;
}

/** An engine in use by one process. After `close` nothing of it may be called. */
export interface OpenEngine {
  /** What the app goes by in place of its own, where processes of several machines share the store's; else its own. */
  readonly clock?: Clock;
  readonly log: LogReader & LogWriter & LogAdmin;
  readonly store: Store;
  readonly inspect: Inspect;
  readonly operate: Operate;
  /** Calls `heard` after each commit that appended, with the topics that grew. */
  onAppended(heard: (topics: readonly string[]) => void): () => void;
  /** Calls `heard` after each commit that finished operations, with their results. */
  onHandled(heard: (results: readonly OperationResult[]) => void): () => void;
  /** Calls `heard` after other processes changed something; never when this one is alone. */
  onChanged(heard: (change: Change) => void): () => void;
  /**
   * Leaves events in the outbox in a transaction of the user's own. Engines without a database that others write to have none.
   *
   * @throws {Failure} EVENT_ID_REUSED when an id of the caller's own is stored with other content.
   */
  publishIn?(transaction: Transaction, records: readonly NewRecord[]): Promise<void>;
  /**
   * Resolves when the log has all that was committed before the call; nothing where a commit writes the log itself. While
   * the servers are away it waits for them; it is over when the engine closes.
   */
  relayed?(): Promise<void>;
  /** What the engine itself does not get on with; nothing where there is no such part. */
  troubles?(): readonly Trouble[];
  /**
   * Copies log and store, as of one moment, into a new file, while running.
   *
   * @throws {Failure} ENGINE_UNABLE when they are servers, which have backups of their own.
   */
  backup(file: string): Promise<void>;
  close(): Promise<void>;
}
