import type { OpenEngine } from "../engine/engine.js";
import type { Cancel, Clock } from "../runtime/clock.js";
import type { Logger } from "../runtime/logger.js";
import type { ActOutcome } from "../store/operate.js";

/** How soon the outcomes of what is under way are looked at. */
const lookMs = 200;
/** Somebody may set the clock. */
const sleepMsMax = 10_000;

/** What a runner of jobs needs of its app. */
export interface JobRunnerHost {
  readonly engine: OpenEngine;
  readonly clock: Clock;
  readonly logger: Logger;
  lanesChanged(lanes: ActOutcome["lanes"]): Promise<void>;
}

/**
 * Drives the jobs that the file holds while any is active. Each process has one: which item starts is decided by the
 * rows, in the commit that starts it, so that together they do nothing twice and any of them may die.
 */
export class JobRunner {
  readonly #host: JobRunnerHost;
  #cancel: Cancel = () => {};
  #looking: Promise<void> | undefined;
  #again = false;
  #closed = false;

  constructor(host: JobRunnerHost) {
    this.#host = host;
  }

  /** There may be something to do. */
  wake(): void {
    if (this.#closed) return;
    this.#again = this.#looking !== undefined;
    if (this.#again) return;
    this.#cancel();
    this.#looking = this.#look().finally(() => {
      this.#looking = undefined;
      if (this.#again) this.wake();
    });
  }

  /** Starts nothing more; what was started goes on when the next process runs. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#cancel();
    await this.#looking;
  }

  async #look(): Promise<void> {
    const { engine, clock, logger, lanesChanged } = this.#host;
    try {
      const due = await engine.store.dueJobs();
      if (due === undefined) return;
      // A look is a read. Only what has come due costs a transaction.
      if (due.at > clock.now()) {
        this.#later(due.underWay ? lookMs : Math.min(due.at - clock.now(), sleepMsMax));
        return;
      }
      const { lanes } = await engine.operate.advanceJobs(clock.now());
      if (lanes.length > 0) await lanesChanged(lanes);
    } catch (error) {
      if (!this.#closed) logger.error({ err: error }, "jobs could not be driven on; they are tried again");
    }
    this.#later(lookMs);
  }

  #later(ms: number): void {
    if (!this.#closed) this.#cancel = this.#host.clock.after(ms, () => this.wake());
  }
}
