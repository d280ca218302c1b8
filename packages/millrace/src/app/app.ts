import type { Aggregate } from "../aggregate/aggregate.js";
import type { SqlInput } from "../consumer/handler.js";
import type { EventName, Message } from "../contract/contract.js";
import type { ContractDeclaration } from "../contract/declaration.js";
import type { DocumentType } from "../contract/documents.js";
import type { Change, Engine, OpenEngine, Transaction } from "../engine/engine.js";
import type { Projection } from "../projection/projection.js";
import type { ProjectionRows } from "../projection/rows.js";
import type { ProjectionTable, SqlProjection } from "../projection/sql.js";
import type { Clock } from "../runtime/clock.js";
import type { Duration } from "../runtime/duration.js";
import type { Logger } from "../runtime/logger.js";
import type { Random } from "../runtime/random.js";
import type { Saga } from "../saga/saga.js";
import type { Service, ServiceDeclaration } from "../service/service.js";
import type { Operation } from "../store/unit.js";
import type { MemoryOptions } from "./memory.js";
import type { ReadAggregate } from "./read-aggregate.js";
import type { ReadSaga } from "./read-sagas.js";

/** What an app is made of. Only `services` is needed. */
export interface AppOptions {
  readonly services: readonly Service[];
  /** Default: embedded("./.millrace"). */
  readonly engine?: Engine;
  readonly logger?: Logger;
  readonly clock?: Clock;
  readonly random?: Random;
  /** How long `stop` waits for running handlers before it aborts them (default "10s"). */
  readonly drain?: Duration;
  /**
   * Warn when the event loop stands still for longer, with the handlers that were running (default "200ms"; false: never).
   * With a `clock` of your own, only when given.
   */
  readonly loopDelayMax?: Duration | false;
  /** How much of the log may be in memory, waiting for handlers. */
  readonly memory?: MemoryOptions;
  /** Stop on SIGTERM and SIGINT (default true). */
  readonly signals?: boolean;
}

/** How an app is started. */
export interface StartOptions {
  /**
   * Runs the handlers and schedules of these services alone (default: all). The contracts and topics of the others are known, so
   * that their events can be published and their commands sent: another process on the same engine runs them.
   */
  readonly services?: readonly string[];
  /**
   * Names of risks that the engine's preflight would refuse the start for, like `min-insync-replicas`. Each start says in the
   * log that they are accepted.
   */
  readonly acceptRisks?: readonly string[];
}

/** What a caller outside handlers may say of an event beside its data. */
export interface PublishOptions {
  /**
   * An id of the caller's own: 1 to 200 printable ASCII characters without spaces. Publishing it again with the same
   * content changes nothing, with other content it fails with EVENT_ID_REUSED. Default: a new UUIDv7.
   */
  readonly id?: string;
  /** Who caused it, for the audit trail: 1 to 200 characters, none of them a control character. No personal data. */
  readonly actor?: string;
}

/** The outbox, as one transaction of your own sees it. */
export interface TransactionOutbox {
  /** Resolves when the transaction holds the event. Its `offset` is -1: the log has it only after the commit. */
  publish(event: Message<EventName, unknown>, options?: PublishOptions): Promise<Published>;
  /** Many events, in their order. Those whose ids are stored already change nothing. */
  publish(events: readonly Message<EventName, unknown>[], options?: PublishManyOptions): Promise<readonly Published[]>;
}

/** What a caller may say of many events that are published together. */
export interface PublishManyOptions extends Pick<PublishOptions, "actor"> {
  /** As {@link PublishOptions.id}, one for each event, in their order; undefined: a new UUIDv7. */
  readonly ids?: readonly (string | undefined)[];
}

/** Where an event is stored: it is on disk. */
export interface Published {
  readonly id: string;
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  /** A causality token: given as `after`, a projection answers with what this event changed, or something later. */
  readonly token: string;
}

/** A command that is on disk, and what became of it. */
export interface Sent extends Operation {
  /**
   * A causality token of what its owner published: given as `after`, a projection answers with what these events changed, or
   * something later. Of a command that is not handled yet, it waits for that, too.
   */
  readonly token: string;
}

/** How a command is sent, and what is waited for. */
export interface SendOptions extends PublishOptions {
  /** "accepted" (default): the command is on disk. "handled": its owner committed or refused it. */
  readonly waitFor?: "accepted" | "handled";
  /** How long to wait for "handled" (default "10s"); then the operation comes back as it is. */
  readonly timeout?: Duration;
  /**
   * The same key in the same scope is the same command: its operation is returned, nothing is sent again. Each is text of
   * 1 to 1,000 characters.
   */
  readonly idempotency?: { readonly scope: string; readonly key: string };
}

/**
 * Documents seen from outside handlers: committed state, read only.
 *
 * @throws {Failure} INDEX_MISSING when no field of `where` is indexed; OPTION_INVALID when a condition is undefined, or
 * an id is no text.
 */
export interface ReadDocuments<Doc> {
  get(id: string): Promise<Doc | undefined>;
  find(where: Partial<Doc>, options?: { readonly limit?: number; readonly after?: string }): Promise<readonly Doc[]>;
}

/** One consumer as the running process sees it. */
export interface ConsumerStatus {
  readonly consumer: string;
  readonly state: "running" | "stopped";
  /** Why it stopped. */
  readonly failure?: { readonly code: string; readonly message: string };
  /** How many partitions of its topics this process has: the others are with other processes. */
  readonly partitions: number;
  /** Nothing is left to do in the partitions that this process has: what lags is with others. */
  readonly resting: boolean;
  /** It pauses: keys fail alike, so what its handlers depend on seems to be down. `since` in ms, app clock. */
  readonly circuit?: { readonly since: number; readonly code: string; readonly message: string };
  /**
   * An event that holds others up: its handler has run for over 30 s, or it has been the oldest of its partition for over
   * a minute. `since` in ms, app clock.
   */
  readonly blocked?: {
    readonly event: string;
    readonly type: string;
    readonly key: string;
    readonly since: number;
    readonly how: string;
  };
  readonly inFlight: number;
  readonly queued: number;
  /** Of events that were fetched and are not finished. */
  readonly eventsBytes: number;
  /** Events that were finished by the run of a newer one, since the start. */
  readonly coalesced: number;
  /** When something of this consumer was last committed, or it was last seen with nothing to do (ms, app clock). */
  readonly progressAt: number;
}

/** What the parts around the app (HTTP, admin, tests) may see of it once it runs. */
export interface Running {
  readonly engine: OpenEngine;
  readonly services: readonly ServiceDeclaration[];
  /** Every declared event and command, by type. */
  readonly contracts: ReadonlyMap<string, ContractDeclaration>;
  readonly clock: Clock;
  readonly logger: Logger;
  consumers(): readonly ConsumerStatus[];
  /** Consumers of services of the app that were not started in this process. */
  readonly elsewhere: readonly string[];
  /** Look again at lanes that an operator's act changed, and at amendments. */
  lanesChanged(lanes: readonly { readonly consumer: string; readonly lane: string }[]): Promise<void>;
  /** Look again at what an act in this process changed; the other processes hear of it by themselves. */
  changed(change: Change): Promise<void>;
  forget(consumer: string): void;
}

/** Where an app keeps what it was made of, for tools that look at it without starting it. */
export const declarations: unique symbol = Symbol("millrace declarations");

/** Something that runs with the app: started after the consumers, stopped before them. */
export interface Extension {
  readonly name: string;
  start(app: App, running: Running): Promise<void>;
  stop(): Promise<void>;
}

/**
 * A running program of services: publishes, sends and reads from outside handlers.
 *
 * What `publish` and `send` resolve with is on disk. Before `start` and after `stop` every call fails with APP_STOPPED.
 *
 * @throws {Failure} CONTRACT_REJECTED or PAYLOAD_LIMIT when data does not fit: nothing is stored then.
 * STORE_FULL or STORE_UNAVAILABLE when the engine cannot write: nothing is stored, the caller may try again.
 */
export interface App {
  /**
   * @throws {Failure} OPTION_INVALID when no service of the app has a name that is given; APP_STOPPED when it was started
   * before, or is stopped meanwhile. An app whose engine could not be opened may be started again.
   */
  start(options?: StartOptions): Promise<void>;
  /**
   * Stops fetching, lets running handlers finish within the drain time, commits, closes. During a start it waits for the
   * engine that is being opened, and closes it, within the drain time.
   */
  stop(): Promise<void>;
  /** Resolves when the event is on disk. */
  publish(event: Message<EventName, unknown>, options?: PublishOptions): Promise<Published>;
  /** Many events in one commit: all or none. Those whose ids are stored already answer with their first place. */
  publish(events: readonly Message<EventName, unknown>[], options?: PublishManyOptions): Promise<readonly Published[]>;
  send(command: Message<string, unknown>, options?: SendOptions): Promise<Sent>;
  /**
   * Publishes inside a transaction of your own, in the PostgreSQL database that the app keeps its state in: the events are
   * published if it commits, and were never there if it is rolled back. Contracts, ids and owners are checked as `publish` does.
   *
   * Events of one key are in the order of your locks: take the lock that orders them (update the row that they are about)
   * before you publish.
   *
   * @param transaction a client of `pg` in a transaction, or `{ query(text, values) }` around that of a query builder
   * @throws {Failure} ENGINE_UNABLE when the app's state is not in PostgreSQL.
   */
  outbox(transaction: Transaction): TransactionOutbox;
  /**
   * Documents of a service of this app, without `service` of the one that keeps the type. Reading them fails with
   * OPTION_INVALID when two services of the app do, or only services that are not in the app.
   */
  documents<Doc>(type: DocumentType<Doc>, options?: { readonly service?: string }): ReadDocuments<Doc>;
  /** The rows of a projection that a service of this app owns. */
  projection<Row>(projection: Projection<Row>): ProjectionRows<Row>;
  /** Of one in SQL: waits until its tables hold what a causality token names. Its tables are read with `query`. */
  projection(projection: SqlProjection<string>): Pick<ProjectionRows<never>, "reached">;
  /**
   * Instances of a saga that a service of this app owns.
   *
   * @throws {Failure} OPTION_INVALID when none does.
   */
  saga<State, Key extends string>(saga: Saga<State, Key>): ReadSaga<State>;
  /**
   * Aggregates of one type, as they are and as they were.
   *
   * @throws {Failure} OPTION_INVALID when no service of the app owns it.
   */
  aggregate<State>(type: Aggregate<State, string>): ReadAggregate<State>;
  /**
   * Rows of a query over SQL read models. It only reads; handlers write, with `ctx.sql`.
   *
   * @throws {Failure} OPTION_INVALID when the statement would write; STATEMENT_FAILED when it cannot be compiled.
   */
  query(
    strings: TemplateStringsArray,
    ...values: readonly (SqlInput | ProjectionTable)[]
  ): Promise<readonly Record<string, unknown>[]>;
  /**
   * Resolves when every consumer has handled everything, no retry is waiting, and no timer is due. Dead letters, and what
   * waits behind them, are left to the operator. Where several processes run the app, each answers for the partitions that it holds.
   *
   * @throws {Failure} when the rest has settled, but a consumer has stopped with events left, or before it came to any: with the code
   * of its failure, which is the cause, and its name in `details.consumer`. CONSUMER_PAUSED when a paused one has events left.
   */
  settled(): Promise<void>;
  /** Resolves after `stop`, however it was asked for. */
  readonly closed: Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}
