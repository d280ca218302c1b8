import type { ConsumerDeclaration, Subscription } from "../consumer/declaration.js";
import type { Context, Refusal } from "../consumer/handler.js";
import type { ConsumerOptions, EventOptions, HandlerOptions, IsolatedOptions } from "../consumer/options.js";
import type { Part, PartDeclaration } from "../consumer/part.js";
import type { AnyContract, AnyEvent, EventName, Message, NameOf, ReceivedOf, Topic } from "../contract/contract.js";

/** Turns an event into effects. It may await anything, and may run more than once: its effects are committed once. */
export type EventHandler<E extends AnyEvent, Emits extends string> = (
  event: ReceivedOf<E>,
  ctx: Context<Emits>,
) => void | Promise<void>;

/**
 * Handles a command for its one owner. Returning `{ refused }` answers without any effect. Throwing means a retry; see
 * docs/errors.md for what each Failure does.
 */
export type CommandHandler<C extends AnyContract, Emits extends string> = (
  command: ReceivedOf<C>,
  ctx: Context<Emits>,
) => void | Refusal | Promise<void | Refusal>;

/** A consumer of its own: positions, lanes and failures apart from the service's other handlers. */
export interface Consumer {
  on<E extends AnyEvent>(event: E, handler: EventHandler<E, never>): this;
  on<E extends AnyEvent, Emits extends AnyContract = never>(
    event: E,
    options: EventOptions<Emits>,
    handler: EventHandler<E, NameOf<Emits>>,
  ): this;
  on<E extends AnyEvent, Emits extends AnyContract = never>(event: E, options: IsolatedOptions<Emits>): this;
}

/** When a schedule ticks. */
export interface ScheduleOptions {
  /** Five or six fields, as in croner. */
  readonly cron: string;
  /** IANA name (default "UTC"). */
  readonly timezone?: string;
  /** Ticks missed while nothing ran: publish the last of them (default) or all. */
  readonly missed?: "last" | "all";
}

/** A named owner of handlers and of its own state. */
export interface Service extends Consumer {
  readonly name: string;
  /** Owns a command. Exactly one service may; a second owner is refused at start. */
  handle<C extends AnyContract>(command: C, handler: CommandHandler<C, never>): this;
  handle<C extends AnyContract, Emits extends AnyContract = never>(
    command: C,
    options: HandlerOptions<Emits>,
    handler: CommandHandler<C, NameOf<Emits>>,
  ): this;
  handle<C extends AnyContract, Emits extends AnyContract = never>(command: C, options: IsolatedOptions<Emits>): this;
  /** Another consumer of this service, named `service.name`. */
  consumer(name: string, build: (consumer: Consumer) => unknown): this;
  consumer(name: string, options: ConsumerOptions, build: (consumer: Consumer) => unknown): this;
  /** Publishes or sends what `make` returns at each tick, once per tick, never early, also after a restart. */
  schedule(name: string, options: ScheduleOptions, make: (tick: Date) => Message<string, unknown>): this;
  /** SQL for read models, run once each, in order, before the service starts. */
  migrations(migrations: Readonly<Record<string, string>>): this;
  /**
   * Declares that this service owns topics (only it publishes there; publishing handlers imply it) or patterns: aggregates,
   * projections, sagas.
   */
  owns(...owned: readonly (Topic<Readonly<Record<string, AnyEvent>>> | Part)[]): this;
}

export interface ServiceDeclaration {
  readonly name: string;
  readonly consumers: readonly ConsumerDeclaration[];
  readonly commands: readonly Subscription[];
  readonly schedules: readonly {
    readonly name: string;
    readonly options: ScheduleOptions;
    readonly make: (tick: Date) => Message<EventName, unknown> | Message<string, unknown>;
  }[];
  readonly migrations: readonly { readonly name: string; readonly sql: string }[];
  readonly owned: readonly Topic<Readonly<Record<string, AnyEvent>>>[];
  readonly parts: readonly PartDeclaration[];
}
