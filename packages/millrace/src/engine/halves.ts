import type { Awaitable, LogHistory, LogReader, LogWriter, NewRecord, TopicShape } from "../log/log.js";
import type { Clock } from "../runtime/clock.js";
import type { Inspect } from "../store/inspect.js";
import type { Operate } from "../store/operate.js";
import type { Outbox } from "../store/outbox.js";
import type { Store } from "../store/store.js";
import type { OperationResult, Position } from "../store/unit.js";
import type { Change, EngineContext, Transaction } from "./engine.js";

/** A setting of a server that would break a promise. */
export interface Risk {
  /** By which `accept-risk` names it, like `min-insync-replicas`. */
  readonly name: string;
  /** The setting with its value, why that breaks which promise, and the command that mends it: sentences for people. */
  readonly what: string;
}

/** What a log knows of a topic by itself. `incarnation` changes when the topic is deleted and made anew. */
export type LogTopic = Pick<TopicShape, "name" | "partitions" | "incarnation">;

/** The log half of an engine. A description: nothing is opened before the app starts. */
export interface LogAdapter {
  readonly name: string;
  open(context: EngineContext): Promise<OpenLog>;
}

/** A log that is looked at: nothing is made in it. */
export interface SeenLog extends LogReader, LogHistory {
  topics(): Awaitable<readonly LogTopic[]>;
  /** Of the topics that the store knows: those that are not made yet are made as they have to be. */
  preflight(declared: readonly TopicShape[]): Promise<readonly Risk[]>;
}

/** A log in use by one process. */
export interface OpenLog extends SeenLog, LogWriter {
  /**
   * Makes the topic, or checks that it is the one declared.
   *
   * @throws {Failure} PARTITIONS_CHANGED when it exists with another partition count.
   */
  ensureTopic(topic: Omit<TopicShape, "incarnation">): Awaitable<LogTopic>;
  /** Calls `heard` when topics that this process has read from grew. */
  onAppended(heard: (topics: readonly string[]) => void): () => void;
  /** Tells other tools how far a consumer has come, as a courtesy: late, and never read back. */
  note(consumer: string, positions: readonly Position[]): void;
  close(): Promise<void>;
}

/** The store half of an engine. A description: nothing is opened before the app starts. */
export interface StoreAdapter {
  readonly name: string;
  open(context: EngineContext, log: OpenLog): Promise<OpenStore>;
}

/** A store in use by one process, beside a log. */
export interface OpenStore {
  /** As {@link OpenEngine.clock}. */
  readonly clock?: Clock;
  readonly store: Store;
  readonly inspect: Inspect;
  readonly operate: Operate;
  readonly outbox: Outbox;
  /** As {@link OpenEngine.publishIn}. */
  publishIn?(transaction: Transaction, records: readonly NewRecord[]): Promise<void>;
  /** Remembers what is declared of a topic. */
  ensureTopic(topic: TopicShape): Promise<TopicShape>;
  topics(): Promise<readonly TopicShape[]>;
  /** As {@link OpenEngine.onHandled}. */
  onHandled(heard: (results: readonly OperationResult[]) => void): () => void;
  /** As {@link OpenEngine.onChanged}. */
  onChanged(heard: (change: Change) => void): () => void;
  preflight(): Promise<readonly Risk[]>;
  close(): Promise<void>;
}
