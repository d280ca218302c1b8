import type { Cancel } from "../runtime/clock.js";
import type { ConsumerHost } from "./plan.js";

/** What was at the end a moment ago follows it, though more came than it takes at once. */
const followsMs = 5_000;
/** A piece of a backlog is rested from for so many times as long as its fold took, within these. */
const restTimes = 4;
const restMs = { min: 3, max: 25 };
/** While another bulk's piece is under way, it is asked for again. */
const askMs = 1;

/** When a bulk may go on: a backlog gives way to others, what comes as it is published is folded at once. */
export class BulkTurns {
  readonly #host: Pick<ConsumerHost, "clock" | "background">;
  readonly #wake: () => void;
  readonly #behind: () => boolean;
  /** Of the piece of a backlog that is under way. */
  #piece: { readonly name: number; readonly since: number; foldMs: number } | undefined;
  #restUntil = Number.NEGATIVE_INFINITY;
  /** When it was last at the end. */
  #endAt = Number.NEGATIVE_INFINITY;
  #cancel: Cancel | undefined;

  constructor(host: Pick<ConsumerHost, "clock" | "background">, behind: () => boolean, wake: () => void) {
    this.#host = host;
    this.#behind = behind;
    this.#wake = wake;
  }

  /** It has to wait, and is woken. */
  get waiting(): boolean {
    return this.#cancel !== undefined;
  }

  /** Begins a piece of work; false when it has to wait. */
  enter(): boolean {
    const { clock, background } = this.#host;
    const now = clock.monotonic();
    if (!this.#behind()) this.#endAt = now;
    if (now - this.#endAt < followsMs || !background.shared) return true;
    const restMs = this.#restUntil - now;
    const name = restMs > 0 ? undefined : background.begin();
    if (name === undefined) this.wait(restMs > 0 ? restMs : askMs);
    else this.#piece = { name, since: now, foldMs: 0 };
    return name !== undefined;
  }

  /** The thread is done with a piece of work: others have it until what was read for that is there, and all is stored. */
  folded(): void {
    if (this.#piece !== undefined) this.#piece.foldMs = this.#host.clock.monotonic() - this.#piece.since;
  }

  /** A piece of work has ended: it is stored, or what came with it is another piece, which would wait for it. */
  ended(): void {
    if (this.#piece === undefined) return;
    const { name, foldMs } = this.#piece;
    this.#piece = undefined;
    this.#host.background.end(name);
    const forMs = Math.min(Math.max(restTimes * foldMs, restMs.min), restMs.max);
    this.#restUntil = this.#host.clock.monotonic() + forMs;
  }

  wait(ms: number): void {
    this.#cancel = this.#host.clock.after(ms, () => {
      this.#cancel = undefined;
      this.#wake();
    });
  }

  close(): void {
    this.#cancel?.();
  }
}
