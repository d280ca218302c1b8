import { Failure, isFailure } from "../failure/failure.js";
import type { Awaitable } from "../log/log.js";
import type { Cancel, Clock } from "../runtime/clock.js";
import type { Logger } from "../runtime/logger.js";
import type { Store } from "../store/store.js";
import type { Outcome, Progress, Unit } from "../store/unit.js";

/** A unit on its way to disk, and who is told what became of it. */
export interface Pending {
  readonly unit: Unit;
  /** True for work that must not be given up while the store is away: the same effects are sent again. */
  readonly patient: boolean;
  /** True for work that gives way to others'. */
  readonly background?: boolean;
  settled(outcome: Outcome): void;
}

const unitsMax = 1000;
const bytesMax = 4 * 1024 * 1024;
const progressDelayMs = 100;
const retryMs = { first: 50, max: 5_000 };

/**
 * Collects what all consumers, publishers and timers of this process want stored, and commits it in groups:
 * everything that came up in one turn of the event loop shares one transaction.
 */
export class Committer {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #logger: Logger;
  #queue: Pending[] = [];
  #progress: Progress[] = [];
  #scheduled = false;
  #committing = false;
  #failures = 0;
  #cancelProgress: Cancel | undefined;
  #cancelRetry: Cancel | undefined;
  #refusal: Failure | undefined;
  #closed = false;
  #idle: (() => void)[] = [];
  /** Told after a group that armed timers. */
  onTimers: () => void = () => {};
  /** When a group was last committed, and one with other than background work; by the monotonic clock. */
  committedAt: number;
  othersAt = Number.NEGATIVE_INFINITY;
  /** How many groups were committed. */
  commits = 0;

  constructor(store: Store, clock: Clock, logger: Logger) {
    this.#store = store;
    this.#clock = clock;
    this.#logger = logger;
    this.committedAt = clock.monotonic();
  }

  get queued(): number {
    return this.#queue.length;
  }

  add(pending: Pending): void {
    if (this.#closed) return;
    this.#queue.push(pending);
    if (!this.#scheduled) this.#schedule();
  }

  /** Records that passed by unsubscribed: stored with the next group, or alone after a moment. */
  passed(progress: Progress): void {
    this.#progress.push(progress);
    if (this.#cancelProgress !== undefined || this.#scheduled) return;
    this.#cancelProgress = this.#clock.after(progressDelayMs, () => {
      this.#cancelProgress = undefined;
      if (this.#progress.length > 0 && !this.#scheduled) this.#schedule();
    });
  }

  /** Resolves when nothing is waiting to be committed. */
  async drained(): Promise<void> {
    if (this.#closed) return;
    if (this.#progress.length > 0 && !this.#scheduled) this.#schedule();
    if (!this.#scheduled && !this.#committing && this.#queue.length === 0) return;
    await new Promise<void>((resolve) => this.#idle.push(resolve));
  }

  /**
   * Commits what is waiting. What the store still refuses after `withinMs` is given up, and those who can be told are;
   * events that were under way run again after the next start.
   */
  async close(withinMs: number): Promise<void> {
    let cancel: Cancel = () => {};
    const late = new Promise<void>((resolve) => {
      cancel = this.#clock.after(withinMs, resolve);
    });
    await Promise.race([this.drained(), late]);
    cancel();
    this.#closed = true;
    this.#cancelRetry?.();
    this.#cancelProgress?.();
    const error = this.#refusal ?? new Failure("STORE_UNAVAILABLE", "the app stopped before the store answered");
    for (const pending of this.#queue) if (!pending.patient) pending.settled({ type: "failed", error });
    this.#queue = [];
    for (const tell of this.#idle.splice(0)) tell();
  }

  #schedule(): void {
    this.#scheduled = true;
    setImmediate(() => this.#flush());
  }

  #flush(): void {
    if (this.#closed) return;
    const group = this.#take();
    const progress = this.#progress;
    this.#progress = [];
    this.#committing = true;
    let outcomes: Awaitable<readonly Outcome[]>;
    try {
      outcomes = this.#store.commit(
        group.map((pending) => pending.unit),
        progress,
      );
    } catch (error) {
      this.#refused(group, progress, error);
      return;
    }
    if (outcomes instanceof Promise)
      outcomes.then(
        (settled) => this.#committed(group, settled),
        (error) => this.#refused(group, progress, error),
      );
    else this.#committed(group, outcomes);
  }

  #take(): Pending[] {
    let count = 0;
    let bytes = 0;
    while (count < this.#queue.length && count < unitsMax && bytes < bytesMax) {
      bytes += sizeOf((this.#queue[count] as Pending).unit);
      count += 1;
    }
    if (count === this.#queue.length) {
      const all = this.#queue;
      this.#queue = [];
      return all;
    }
    return this.#queue.splice(0, count);
  }

  #committed(group: readonly Pending[], outcomes: readonly Outcome[]): void {
    this.#failures = 0;
    this.committedAt = this.#clock.monotonic();
    this.commits += 1;
    let timers = false;
    for (let index = 0; index < group.length; index += 1) {
      const pending = group[index] as Pending;
      if (pending.unit.effects.timers !== undefined || pending.unit.effects.cancels !== undefined) timers = true;
      if (pending.background !== true) this.othersAt = this.committedAt;
      pending.settled(outcomes[index] as Outcome);
    }
    if (timers) this.onTimers();
    this.#next();
  }

  /** Nothing of the group was stored. Those who can be told are; the rest is sent again, unchanged. */
  #refused(group: readonly Pending[], progress: readonly Progress[], error: unknown): void {
    const failure = isFailure(error) ? error : new Failure("STORE_UNAVAILABLE", "the store failed", { cause: error });
    const again = failure.verdict === "retry" ? group.filter((pending) => pending.patient) : [];
    const outcome: Outcome = { type: "failed", error: failure };
    for (const pending of group) if (!again.includes(pending)) pending.settled(outcome);
    if (again.length === 0 && failure.verdict !== "retry") {
      this.#next();
      return;
    }
    this.#queue = [...again, ...this.#queue];
    this.#progress = [...progress, ...this.#progress];
    const waitMs = Math.min(retryMs.first * 2 ** this.#failures, retryMs.max);
    this.#failures += 1;
    this.#logger.error({ code: failure.code, waitMs, units: again.length }, failure.message);
    this.#refusal = failure;
    this.#cancelRetry = this.#clock.after(waitMs, () => this.#flush());
  }

  #next(): void {
    this.#committing = false;
    this.#scheduled = false;
    if (this.#queue.length > 0) {
      this.#schedule();
      return;
    }
    const idle = this.#idle;
    if (idle.length === 0) return;
    this.#idle = [];
    for (const tell of idle) tell();
  }
}

function sizeOf(unit: Unit): number {
  let bytes = 64;
  const { records, documents } = unit.effects;
  if (records !== undefined) for (const record of records) bytes += record.data.length;
  if (documents !== undefined) for (const document of documents) bytes += document.text?.length ?? 0;
  return bytes;
}
