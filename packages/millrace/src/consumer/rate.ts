/** How many runs may start in what time. */
export interface RatePlan {
  /** The time that one run takes up, ms. */
  readonly intervalMs: number;
  /** How many may start at once after a pause. */
  readonly burst: number;
}

/** Less than any clock can tell: what is left of a wait after sums of fractions. */
const nothingMs = 0.001;
const sweepMin = 1_000;

// The generic cell rate algorithm (ITU-T I.371): one number, the time at which the next run is due if all came evenly.

/** How long a run has to wait, when the next one is due at `due`. */
function waitMs({ intervalMs, burst }: RatePlan, due: number, now: number): number {
  const wait = due - (burst - 1) * intervalMs - now;
  return wait > nothingMs ? wait : 0;
}

/**
 * Lets `burst` runs start at once after a pause, and in the long run one each `intervalMs`. In a time of n intervals at
 * most n + burst − 1 start. Times are of the monotonic clock.
 */
export class Rate {
  readonly #plan: RatePlan;
  #due = Number.NEGATIVE_INFINITY;

  constructor(plan: RatePlan) {
    this.#plan = plan;
  }

  waitMs(now: number): number {
    return waitMs(this.#plan, this.#due, now);
  }

  take(now: number): void {
    this.#due = Math.max(this.#due, now) + this.#plan.intervalMs;
  }
}

/** A {@link Rate} for each key. A key that has been quiet for long enough is as good as new, and is forgotten. */
export class KeyRates {
  readonly #plan: RatePlan;
  readonly #due = new Map<string, number>();
  #sweepAt = sweepMin;

  constructor(plan: RatePlan) {
    this.#plan = plan;
  }

  get size(): number {
    return this.#due.size;
  }

  waitMs(key: string, now: number): number {
    const due = this.#due.get(key);
    return due === undefined ? 0 : waitMs(this.#plan, due, now);
  }

  take(key: string, now: number): void {
    const due = this.#due.get(key) ?? Number.NEGATIVE_INFINITY;
    this.#due.set(key, Math.max(due, now) + this.#plan.intervalMs);
    if (this.#due.size >= this.#sweepAt) this.#sweep(now);
  }

  /** Done when the keys have doubled: a constant cost for each run. */
  #sweep(now: number): void {
    for (const [key, due] of this.#due) if (due <= now) this.#due.delete(key);
    this.#sweepAt = Math.max(sweepMin, 2 * this.#due.size);
  }
}
