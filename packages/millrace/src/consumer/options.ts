import type { AnyContract } from "../contract/contract.js";
import type { Duration } from "../runtime/duration.js";

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

/** How a consumer as a whole is run. */
export interface ConsumerOptions {
  /** Most handlers at work at one time in a process, of all its subscriptions (default: what each of them says). */
  readonly concurrency?: number;
}

/**
 * How often a handler may start: `events` in each `per`, evenly spread. Counted in each process, on a clock that only grows;
 * every run counts, repeats too.
 */
export interface RateLimit {
  /** Runs in each `per`: a whole number from 1 on. */
  readonly events: number;
  /** Like "1s" or "1m". */
  readonly per: Duration;
  /**
   * How many may start at once after a pause: a whole number from 1 on (default 1, and what 20 ms let through, as timers
   * are no finer). In any time of length `per` at most `events` + `burst` − 1 start.
   */
  readonly burst?: number;
}

/** Limits of each key of a subscription. A key is serial anyway: what it does not say, the key's order says. */
export interface PerKeyLimits {
  readonly rateLimit?: RateLimit;
}

/** When a burst of events of one key is over. */
export interface Debounce {
  /** The newest event runs when none has followed it in the log for so long. */
  readonly quiet: Duration;
  /** It runs at the latest so long after the first of the burst (default ten times `quiet`). */
  readonly waitMax?: Duration;
}
