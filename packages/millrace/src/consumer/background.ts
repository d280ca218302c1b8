import type { Clock } from "../runtime/clock.js";
import type { Committer } from "./committer.js";

/** Others count as at work for so long after their last commit: those that come now and then must not meet a long one. */
const quietMs = 10_000;
/** A piece of work is so many events. */
const eventsMax = 64;
/** One whose end nobody tells has ended by then. */
const pieceMs = 25;

/** What the bulks of a process do beside its other work, with which they share its thread and its commits. */
export class Background {
  readonly #clock: Clock;
  readonly #committer: Committer;
  /** The piece of work under way. */
  #piece = { name: 0, until: Number.NEGATIVE_INFINITY };

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

  /** Begins a piece of work beside others, which gets a name; undefined while another one is under way, as their commits would add up. */
  begin(): number | undefined {
    const now = this.#clock.monotonic();
    const { name, until } = this.#piece;
    if (now < until) return undefined;
    this.#piece = { name: name + 1, until: now + pieceMs };
    return name + 1;
  }

  /** It is stored, or waits for more. */
  end(name: number): void {
    if (this.#piece.name === name) this.#piece = { name, until: Number.NEGATIVE_INFINITY };
  }
}
