import { Failure } from "../failure/failure.js";
import type { Clock } from "../runtime/clock.js";
import type { Run } from "./run.js";
import type { Watch } from "./watch.js";

/** Waits for the handlers at work to end, and gives up those that take too long. */
export class Draining {
  readonly #consumer: string;
  readonly #clock: Clock;
  readonly #watch: Watch;
  #ended: () => void = () => {};

  constructor(consumer: string, clock: Clock, watch: Watch) {
    this.#consumer = consumer;
    this.#clock = clock;
    this.#watch = watch;
  }

  /** A handler has ended. */
  ended(): void {
    if (this.#watch.size === 0) this.#ended();
  }

  /** Resolves when none is at work, or those that were have been aborted after `drainMs`. */
  async over(drainMs: number): Promise<void> {
    if (this.#watch.size === 0) return;
    const ended = new Promise<void>((resolve) => {
      this.#ended = resolve;
    });
    const cancel = this.#clock.after(drainMs, () => {
      const reason = new Failure(
        "APP_STOPPED",
        `${this.#consumer}: the app is stopping and the drain time of ${drainMs} ms is over`,
      );
      for (const run of [...this.#watch]) this.#abandon(run, reason);
    });
    await ended;
    cancel();
  }

  /** The handler is told; its event stays uncommitted and runs again after the restart. */
  #abandon(run: Run, reason: Failure): void {
    const { context } = run;
    this.#watch.delete(run);
    run.context = undefined;
    context?.abort(reason);
    context?.close();
    this.ended();
  }
}
