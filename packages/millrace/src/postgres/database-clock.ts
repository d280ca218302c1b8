import type { Cancel, Clock } from "../runtime/clock.js";
import type { Logger } from "../runtime/logger.js";

/** Machines that NTP sets differ by less. */
const offMsMax = 1_000;
/** An answer that took longer says too little about the time. */
const tripMsMax = 250;

/** A moment by the database's clock, and by the clock of this process that nobody sets. */
interface Moment {
  readonly at: number;
  readonly monotonic: number;
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
    const theirs = this.#theirs() ?? own;
    return Math.abs(own - theirs) > offMsMax ? theirs : own;
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
    if (monotonic - asked > tripMsMax) return;
    // Not from when it was asked: this clock is behind the database's rather than ahead of it.
    this.#heard = { at, monotonic };
    const offMs = this.#own.now() - at;
    const off = Math.abs(offMs) > offMsMax;
    if (off && !this.#off)
      this.#logger.warn(
        { offMs },
        `this machine's clock is ${Math.abs(offMs)} ms ${offMs > 0 ? "ahead of" : "behind"} the database's: timers, schedules and ctx.now() go by the database's; set both by NTP`,
      );
    this.#off = off;
  }

  #theirs(): number | undefined {
    return this.#heard && Math.floor(this.#heard.at + this.monotonic() - this.#heard.monotonic);
  }
}
