import type { Context, Handler, Refusal } from "../consumer/handler.js";
import type { AnyContract, AnyEvent, EventName, Message, NameOf, ReceivedOf, Topic } from "../contract/contract.js";
import type { Duration } from "../runtime/duration.js";
import type { Debounce, PerKeyLimits, RateLimit } from "./flow.js";

/** How failures of a handler are met. Durations are strings; jitter is added by the runtime. */
export interface RetryOptions {
  /** Runs in place before the event is parked (default 3). */
  readonly attemptsInPlace?: number;
  /** Failed runs before the event becomes a dead letter (default 8). Runs that only waited, like for NOT_YET, are not counted. */
  readonly attemptsMax?: number;
  /** The first pause (default "100ms"); it doubles up to `backoffMax` (default "60s"). */
  readonly backoffFirst?: Duration;
  readonly backoffMax?: Duration;
}

/** How a handler is run. Durations are strings like "30s". */
export interface HandlerOptions<Emits extends AnyContract> {
  /** What the handler may publish or send. */
  readonly emits?: readonly Emits[];
  /** When a run is aborted and counted as failed (default "30s"). */
  readonly timeout?: Duration;
  /** Most runs of this handler at one time in a process (default 256). */
  readonly concurrency?: number;
  /** hold (default): a dead letter keeps the events of its key waiting behind it. skip: they go on. */
  readonly onPoison?: "hold" | "skip";
  readonly retry?: RetryOptions;
  /** Where a new consumer starts. Needed when the topic already holds records. */
  readonly from?: "beginning" | "end";
  /**
   * Who is first when the places of the consumer are scarce: a whole number, higher first (default 0). Every eighth place goes
   * to the event that has waited longest. Nothing overtakes within a key.
   */
  readonly priority?: number;
  /** How often the handler may start, over all keys. What has to wait stays in order and in the log. */
  readonly rateLimit?: RateLimit;
  /** How often it may start for one key; other keys go on. */
  readonly perKey?: PerKeyLimits;
}

/** How a handler of events is run. */
export interface EventOptions<Emits extends AnyContract> extends HandlerOptions<Emits> {
  /**
   * Of a key's waiting events only the newest is handled (default false). Those it supersedes are finished in its commit,
   * and counted. Not superseded are events whose handler has begun, and those with an event of another type behind them.
   */
  readonly coalesce?: boolean;
  /** Waits until a key is quiet, then handles its newest event as `coalesce` does. */
  readonly debounce?: Debounce;
}

/**
 * How a handler is run in a worker thread of its own, so that it may compute for long without holding up the process.
 *
 * The default export of the module is the handler; it imports the contracts it uses. Its context is that of any handler;
 * what it reads is asked of the main thread. One worker at first, up to `concurrency` of them, which is at most (and by
 * default) the number of cores. A worker whose run was aborted has a second to come to an
 * end, and is replaced; one that ends itself fails its event with WORKER_ENDED. Starting one takes about 0.1 s of the timeout.
 *
 * @example
 * ```ts no-run
 * // risk.ts: export default ((event, ctx) => { … }) satisfies EventHandler<typeof orders.placed, "risk.scored">
 * import { event, service, topic } from "millrace";
 * import { z } from "zod";
 *
 * const Placed = z.object({ orderId: z.string() });
 * const orders = topic("orders", { key: "orderId", events: { placed: event("order.placed", Placed) } });
 * export const risk = service("risk").on(orders.placed, { isolate: new URL("./risk.js", import.meta.url), timeout: "5s" });
 * ```
 */
export interface IsolatedOptions<Emits extends AnyContract> extends HandlerOptions<Emits> {
  /** A file of JavaScript; of TypeScript where Node runs it, by its own type stripping or a loader given with --import. */
  readonly isolate: URL;
}

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

/** How a consumer as a whole is run. */
export interface ConsumerOptions {
  /** Most handlers at work at one time in a process, of all its subscriptions (default: what each of them says). */
  readonly concurrency?: number;
}

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
  /** Declares that this service owns the topic: only it publishes there. Publishing handlers imply it. */
  owns(...topics: readonly Topic<Readonly<Record<string, AnyEvent>>>[]): this;
}

/** One subscription, as declared. */
export interface Subscription {
  readonly contract: AnyContract;
  readonly options: EventOptions<AnyContract> | IsolatedOptions<AnyContract>;
  /** Undefined when it is isolated: its module has it. */
  readonly handler: Handler | undefined;
}

export interface ConsumerDeclaration {
  /** Undefined for the service's own consumer. */
  readonly name: string | undefined;
  readonly options: ConsumerOptions;
  readonly subscriptions: readonly Subscription[];
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
}
