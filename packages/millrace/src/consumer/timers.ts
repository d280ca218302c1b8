import type { NewRecord } from "../log/log.js";
import type { Cancel } from "../runtime/clock.js";
import type { Outcome, Unit } from "../store/unit.js";
import type { Committer } from "./committer.js";
import type { ConsumerHost } from "./plan.js";

const dueMax = 500;
/** A clock that was set forward, or a machine that slept, is noticed after this time: sleeps do not see it. */
export const lookMs = 60_000;

/**
 * Publishes the messages of timers that are due: each in the commit that removes its row, so once, and never early by
 * the clock of this process, nor by the store's.
 */
export class Timers {
  readonly #host: ConsumerHost;
  #cancel: Cancel | undefined;
  #firing = false;
  #arming = 0;
  #closed = false;
  onResting: () => void = () => {};

  constructor(host: ConsumerHost) {
    this.#host = host;
  }

  get resting(): boolean {
    return !this.#firing && this.#arming === 0;
  }

  /** Looks when the next timer is due, and sleeps until then. */
  async arm(): Promise<void> {
    // A firing arms anew when it is done.
    if (this.#closed || this.#firing) return;
    this.#cancel?.();
    this.#cancel = undefined;
    this.#arming += 1;
    try {
      const next = await this.#host.engine.store.nextTimer();
      if (next === undefined || this.#closed || this.#firing) return;
      const waitMs = next - this.#host.clock.now();
      if (waitMs <= 0) await this.#fire();
      else this.#sleep(Math.min(waitMs, lookMs));
    } catch (error) {
      this.#host.logger.error({ err: error }, "timers could not be read or fired; they stay due");
      this.#sleep(lookMs);
    } finally {
      this.#arming -= 1;
      if (this.resting) this.onResting();
    }
  }

  close(): void {
    this.#closed = true;
    this.#cancel?.();
  }

  async #fire(): Promise<void> {
    this.#firing = true;
    let outcomes: readonly Outcome[];
    try {
      const due = await this.#host.engine.store.readDueTimers(this.#host.clock.now(), dueMax);
      outcomes = await Promise.all(
        due.map((timer) =>
          commitOne(this.#host.committer, { type: "timer", timer: timer.timer }, { ...timer.record, offset: -1 }),
        ),
      );
    } finally {
      this.#firing = false;
    }
    for (const outcome of outcomes) if (outcome.type === "failed") throw outcome.error;
    // This process's clock is ahead: those whose clock is right fire them.
    if (outcomes.some(({ type }) => type === "held")) this.#sleep(lookMs);
    else await this.arm();
  }

  #sleep(ms: number): void {
    this.#cancel?.();
    if (!this.#closed) this.#cancel = this.#host.clock.after(ms, () => void this.arm());
  }
}

/** Commits one record under a claim; resolves with what became of it. */
export function commitOne(committer: Committer, claim: Unit["claim"], record: NewRecord): Promise<Outcome> {
  return new Promise((resolve) => {
    committer.add({
      unit: { claim, reads: [], effects: { records: [record] }, lane: undefined },
      patient: true,
      settled: resolve,
    });
  });
}
