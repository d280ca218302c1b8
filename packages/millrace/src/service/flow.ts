import type { Duration } from "../runtime/duration.js";

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
