import type { EventName, Message, Received } from "../contract/contract.js";
import type { DocumentType } from "../contract/documents.js";
import type { Duration } from "../runtime/duration.js";
import type { Logger } from "../runtime/logger.js";
import type { AuditNote } from "../store/unit.js";

type Emit<Names, Kind> = Kind extends "event" ? Extract<Names, EventName> : Exclude<Names, EventName>;

/**
 * What a handler may do. Effects collect in memory and are committed together after the handler returned;
 * when it throws, none of them happens. After that the context is closed: a late use throws CONTEXT_CLOSED.
 */
export interface Context<Emits extends string> {
  /** Publishes an event that `emits` declares. */
  publish(event: Message<Emit<Emits, "event">, unknown>): void;
  /** Sends a command that `emits` declares to the service that owns it. */
  send(command: Message<Emit<Emits, "command">, unknown>): void;
  /**
   * Publishes or sends `message` after the delay, never early, also after a restart.
   * A later timer of the same service with the same `name` replaces this one.
   *
   * @throws {Failure} EVENT_REJECTED when the delay is not a duration: it was computed from this event.
   */
  after(delay: Duration, message: Message<Emits, unknown>, options?: { readonly name?: string }): void;
  /** Cancels this service's timer of that name, if it has not fired. */
  cancel(name: string): void;
  /** This service's documents of a type. What was read is checked at the commit: stale reads run the handler again. */
  documents<Doc>(type: DocumentType<Doc>): Documents<Doc>;
  /**
   * Adds an INSERT, UPDATE, DELETE or WITH statement to the commit, for read models in SQL. Values become parameters.
   * Only for engines that speak SQL; the dialect is the engine's (embedded: SQLite).
   *
   * @throws {Failure} OPTION_INVALID when it is no such statement; EVENT_REJECTED when a value cannot be a parameter.
   */
  sql(strings: TemplateStringsArray, ...values: readonly SqlInput[]): SqlEffect;
  /** Aborted when the handler's time is up, or the process drains for too long. */
  readonly signal: AbortSignal;
  /** 1 for the first run of this event. */
  readonly attempt: number;
  /** Stable over every repeat of this event for this consumer: give it to outside systems. */
  readonly idempotencyKey: string;
  now(): Date;
  /** A UUID derived from the event: the same on every repeat. */
  id(): string;
  /** A number in [0, 1) derived from the event: the same on every repeat. */
  random(): number;
  readonly log: Logger;
}

/**
 * What can stand for a parameter: booleans are stored as 0 and 1, dates as ISO 8601 text in UTC. Numbers are finite;
 * anything else is stored as the text you make of it, with JSON.stringify for instance.
 */
export type SqlInput = string | number | bigint | boolean | null | Date | Uint8Array;

/** A statement that will run in the commit. */
export interface SqlEffect {
  /** The commit fails with STATEMENT_FAILED unless the statement changes exactly this many rows. */
  rows(count: number): void;
}

/**
 * A service's documents of one type, as one run of a handler sees them: what is committed, with its own writes on top.
 *
 * @throws {Failure} DOCUMENT_REJECTED when a document does not fit its schema; EVENT_REJECTED when an id is no text;
 * CONTEXT_CLOSED after the handler ended.
 */
export interface Documents<Doc> {
  get(id: string): Promise<Doc | undefined>;
  /** Creates or replaces the document under its id field. */
  put(document: Doc): void;
  delete(id: string): void;
  /**
   * Committed documents whose fields equal `where`, in id order; at least one field must be declared in `indexes` or
   * `unique`. Not checked at the commit: a rule over a set needs a declared unique index.
   *
   * @throws {Failure} INDEX_MISSING when no field of `where` is indexed; EVENT_REJECTED when a condition is undefined.
   */
  find(where: Partial<Doc>, options?: { readonly limit?: number; readonly after?: string }): Promise<readonly Doc[]>;
}

/** To whom a message replies, or who hears what becomes of a command: see `log/reply-to.ts`. */
export interface Replying {
  readonly replyTo?: string | undefined;
}

/** What the handlers of patterns may do beside: users' handlers are given the same object, and not told. */
export interface PatternContext extends Context<string> {
  /** To whom the event under way replies. */
  readonly replyTo: string | undefined;
  publish(event: Message<EventName, unknown>, options?: Replying): void;
  send(command: Message<string, unknown>, options?: Replying): void;
  after(delay: Duration, message: Message<string, unknown>, options?: { readonly name?: string } & Replying): void;
  /** Keeps an operator's act in the audit record, in the commit that does it. */
  audit(note: AuditNote): void;
}

/** A command's answer when its owner will not do it. */
export interface Refusal {
  readonly refused: string;
  readonly detail?: string;
}

/** A handler with its types forgotten: what the runtime calls. */
export type Handler = (message: Received<string, unknown>, ctx: Context<string>) => unknown;
