import type { Committer } from "../consumer/committer.js";
import type { Consumer } from "../consumer/consumer.js";
import type { Schedule } from "../consumer/schedules.js";
import type { Timers } from "../consumer/timers.js";
import type { OpenEngine } from "../engine/engine.js";
import { Failure } from "../failure/failure.js";

/** What has to have come to rest. */
export interface RestParts {
  readonly consumers: readonly Consumer[];
  readonly timers: Timers;
  readonly schedules: readonly Schedule[];
  readonly committer: Committer;
  readonly engine: Pick<OpenEngine, "relayed">;
}

/** Knows when there is nothing left to do: all handled, nothing waiting for a retry, no timer or tick due. */
export class Rest {
  readonly #consumers: readonly Consumer[];
  readonly #timers: Timers;
  readonly #schedules: readonly Schedule[];
  readonly #committer: Committer;
  readonly #engine: Pick<OpenEngine, "relayed">;
  #waiting: (() => void)[] = [];
  #closed = false;

  constructor({ consumers, timers, schedules, committer, engine }: RestParts) {
    this.#engine = engine;
    this.#consumers = consumers;
    this.#timers = timers;
    this.#schedules = schedules;
    this.#committer = committer;
    const look = () => this.#wake();
    for (const consumer of consumers) this.watch(consumer);
    for (const schedule of schedules) schedule.onResting = look;
    timers.onResting = look;
  }

  /** One that has come among the consumers. */
  watch(consumer: Consumer): void {
    consumer.onResting = () => this.#wake();
  }

  /** Those who still wait are told that it will not come. */
  close(): void {
    this.#closed = true;
    for (const tell of this.#waiting.splice(0)) tell();
  }

  /**
   * Resolves when there is nothing left to do.
   *
   * @throws {Failure} with the code of a stopped consumer that left work undone, once the others have done theirs.
   */
  async reached(): Promise<void> {
    for (;;) {
      for (const consumer of this.#consumers) consumer.pass();
      await this.#committer.drained();
      if (this.#closed) throw new Failure("APP_STOPPED", "settled: the app stopped before everything was handled");
      // Nobody tells when a commit of nobody's consumer is done: look again, do not wait.
      if (!this.#resting) await new Promise<void>((resolve) => this.#waiting.push(resolve));
      else if (this.#committer.queued === 0 && (await this.#relayed())) return this.#assertNobodyLeft();
    }
  }

  /** Whether the log has what was committed, and nobody has found anything to do meanwhile. */
  async #relayed(): Promise<boolean> {
    if (this.#engine.relayed === undefined) return true;
    const { commits } = this.#committer;
    await this.#engine.relayed();
    return !this.#closed && this.#resting && this.#committer.queued === 0 && this.#committer.commits === commits;
  }

  #assertNobodyLeft(): void {
    for (const { name, leftBehind } of this.#consumers)
      if (leftBehind !== undefined)
        throw new Failure(
          leftBehind.code,
          leftBehind.code === "CONSUMER_PAUSED"
            ? `settled: ${leftBehind.message}; it has events left to handle: resume it`
            : `settled: ${name} has stopped with events left to handle (${leftBehind.message}); mend the cause and start the app again`,
          { cause: leftBehind, details: { consumer: name } },
        );
  }

  get #resting(): boolean {
    return (
      this.#timers.resting &&
      this.#schedules.every((schedule) => schedule.resting) &&
      this.#consumers.every((consumer) => consumer.resting)
    );
  }

  #wake(): void {
    if (this.#waiting.length === 0 || !this.#resting) return;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const tell of waiting) tell();
  }
}
