import type { Cancel, Clock } from "../runtime/clock.js";
import type { Logger } from "../runtime/logger.js";

/** Machines that NTP sets differ by less. */
const offMsMax = 1_000;
/** An answer that took longer says little about the time; the first one is better than none. */
const tripMsMax = 250;

/** A moment by the database's clock, and by the clock of this process that nobody sets. */
interface Moment {
  readonly at: number;
  readonly monotonic: number;
  /** By how much this machine's clock may differ, as nobody knows how long the answer was on its way. */
  readonly offMsMax: number;
}

/**
 * The clock of this machine for as long as it is the database's, within a second; else the database's, which all processes
 * share: a timer that one of them arms is not early, or late, because another's clock is wrong.
 */
export class DatabaseClock implements Clock {
  readonly #own: Clock;
  readonly #logger: Logger;
  #heard: Moment | undefined;
  #off = false;

  constructor(own: Clock, logger: Logger) {
    this.#own = own;
    this.#logger = logger;
  }

  now(): number {
    const own = this.#own.now();
    const heard = this.#heard;
    if (heard === undefined) return own;
    const theirs = Math.floor(heard.at + this.monotonic() - heard.monotonic);
    return Math.abs(own - theirs) > heard.offMsMax ? theirs : own;
  }

  monotonic(): number {
    return this.#own.monotonic();
  }

  after(ms: number, run: () => void): Cancel {
    return this.#own.after(ms, run);
  }

  /** The database has said what time it is, to a question of the moment `asked` by the monotonic clock. */
  heard(at: number, asked: number): void {
    const monotonic = this.monotonic();
    const tripMs = monotonic - asked;
    if (tripMs > tripMsMax && this.#heard !== undefined) return;
    // Not from when it was asked: this clock is behind the database's rather than ahead of it.
    this.#heard = { at, monotonic, offMsMax: offMsMax + tripMs };
    const offMs = this.#own.now() - at;
    const off = Math.abs(offMs) > this.#heard.offMsMax;
    if (off && !this.#off)
      this.#logger.warn(
        { offMs },
        `this machine's clock is ${Math.abs(offMs)} ms ${offMs > 0 ? "ahead of" : "behind"} the database's: timers, schedules and ctx.now() go by the database's; set both by NTP`,
      );
    this.#off = off;
  }
}
