import type { Cancel } from "../runtime/clock.js";
import type { ConsumerHost } from "./plan.js";

/** When a bulk may go on: a backlog gives way to others, what comes as it is published is folded at once. */
export class BulkTurns {
  readonly #host: Pick<ConsumerHost, "clock" | "background">;
  readonly #wake: () => void;
  readonly #behind: () => boolean;
  #since = 0;
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
    const waitMs = this.#behind() ? this.#host.background.enter() : 0;
    if (waitMs > 0) this.wait(waitMs);
    else this.#since = this.#host.clock.monotonic();
    return waitMs === 0;
  }

  /** A piece of work has ended. */
  worked(): void {
    if (this.#behind()) this.#host.background.worked(this.#since);
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
