import type { Clock } from "../runtime/clock.js";

/** What a consumer is looking at because others changed it: leases, lanes, amendments. It reads and writes the store for that. */
export class Looks {
  readonly #clock: Clock;
  readonly #underWay = new Set<Promise<void>>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  add(look: Promise<void>): Promise<void> {
    const noted = look.finally(() => this.#underWay.delete(noted));
    this.#underWay.add(noted);
    return noted;
  }

  /** Resolves when none is under way, or `ms` are over. */
  async over(ms: number): Promise<void> {
    if (this.#underWay.size === 0) return;
    await new Promise<void>((resolve) => {
      const cancel = this.#clock.after(ms, resolve);
      void Promise.all(this.#underWay).finally(() => {
        cancel();
        resolve();
      });
    });
  }
}
