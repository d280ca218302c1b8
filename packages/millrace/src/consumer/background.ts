import type { Clock } from "../runtime/clock.js";
import type { Committer } from "./committer.js";

/** Others count as at work for so long after their last commit: those that come now and then must not meet a long one. */
const quietMs = 10_000;
/** A piece of work is so many events, and is rested from for so many times as long as it took, within these. */
const eventsMax = 100;
const restTimes = 2;
const restMs = { min: 1, max: 25 };

/** What the bulks of a process do beside its other work, with which they share its thread and its commits. */
export class Background {
  readonly #clock: Clock;
  readonly #committer: Committer;
  #restUntil = Number.NEGATIVE_INFINITY;

  constructor(clock: Clock, committer: Committer) {
    this.#clock = clock;
    this.#committer = committer;
  }

  /** Others have had something committed lately. */
  get shared(): boolean {
    return this.#clock.monotonic() - this.#committer.othersAt < quietMs;
  }

  /** So many events may be fetched and folded in one piece. */
  get eventsMax(): number {
    return this.shared ? eventsMax : Number.POSITIVE_INFINITY;
  }

  /** Commits of this process so far. */
  get commits(): number {
    return this.#committer.commits;
  }

  /** Begins a piece of work, or says for how long it has to wait (ms): two thirds of the time are the others', one bulk at a time. */
  enter(): number {
    if (!this.shared) return 0;
    const now = this.#clock.monotonic();
    if (now < this.#restUntil) return this.#restUntil - now;
    this.#restUntil = now + restMs.max;
    return 0;
  }

  /** A piece of work has ended that began at a time, by the monotonic clock. */
  worked(since: number): void {
    const now = this.#clock.monotonic();
    this.#restUntil = now > since ? now + Math.min(Math.max(restTimes * (now - since), restMs.min), restMs.max) : now;
  }
}
