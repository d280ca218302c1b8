import type { Clock } from "../runtime/clock.js";

/** What a consumer is looking at because others changed it: leases, lanes, amendments. It reads and writes the store for that. */
export class Looks {
  readonly #clock: Clock;
  readonly #stop: (error: unknown) => void;
  readonly #underWay = new Set<Promise<void>>();
  #over = false;

  constructor(clock: Clock, stop: (error: unknown) => void) {
    this.#clock = clock;
    this.#stop = stop;
  }

  add(look: Promise<void>): Promise<void> {
    const noted = look.finally(() => this.#underWay.delete(noted));
    this.#underWay.add(noted);
    return noted;
  }

  /** One has failed: the consumer stops, unless nobody waits for it any longer, and it has met an engine that is closed. */
  failed(error: unknown): void {
    if (!this.#over) this.#stop(error);
  }

  /** Resolves when the runs have ended, which may have asked for one, and none is under way, or `ms` are over. */
  async over(runs: Promise<void>, ms: number): Promise<void> {
    const until = this.#clock.monotonic() + ms;
    await runs;
    const leftMs = until - this.#clock.monotonic();
    if (this.#underWay.size > 0 && leftMs > 0)
      await new Promise<void>((resolve) => {
        const cancel = this.#clock.after(leftMs, resolve);
        // One that fails is for whoever asked for it.
        void Promise.allSettled(this.#underWay).then(() => {
          cancel();
          resolve();
        });
      });
    this.#over = true;
  }
}
