import type { Cancel, Clock } from "../runtime/clock.js";
import type { SlowRuns } from "./plan.js";
import type { Run } from "./run.js";

/** Runs under way and when to look at each next: one timer for all of them. */
export class Watch {
  readonly #clock: Clock;
  readonly #due: (run: Run) => void;
  readonly #slowRuns: SlowRuns | undefined;
  readonly #runs = new Set<Run>();
  #cancel: Cancel | undefined;
  #armedFor = Number.POSITIVE_INFINITY;

  constructor(clock: Clock, due: (run: Run) => void, slowRuns?: SlowRuns) {
    this.#clock = clock;
    this.#due = due;
    this.#slowRuns = slowRuns;
  }

  get size(): number {
    return this.#runs.size;
  }

  /** The run that has been under way for longest. */
  get longest(): Run | undefined {
    for (const run of this.#runs) return run;
    return undefined;
  }

  /** `run.deadline` says when; `due` may set a later one. */
  add(run: Run): void {
    this.#runs.add(run);
    if (run.deadline < this.#armedFor) this.#arm(run.deadline);
  }

  delete(run: Run): void {
    this.#runs.delete(run);
    const slow = this.#slowRuns;
    if (slow === undefined || run.subscription.isolate !== undefined) return;
    if (this.#clock.monotonic() - run.startedAt >= slow.ms) slow.add(run);
  }

  [Symbol.iterator](): IterableIterator<Run> {
    return this.#runs.values();
  }

  close(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    this.#armedFor = Number.POSITIVE_INFINITY;
  }

  #arm(at: number): void {
    this.#cancel?.();
    this.#armedFor = at;
    this.#cancel = this.#clock.after(Math.max(0, at - this.#clock.monotonic()), () => this.#fire());
  }

  #fire(): void {
    this.#armedFor = Number.POSITIVE_INFINITY;
    this.#cancel = undefined;
    const now = this.#clock.monotonic();
    for (const run of [...this.#runs]) if (run.deadline <= now) this.#due(run);
    let next = Number.POSITIVE_INFINITY;
    for (const run of this.#runs) next = Math.min(next, run.deadline);
    if (next < this.#armedFor) this.#arm(next);
  }
}
