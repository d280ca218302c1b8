import { Failure } from "../failure/failure.js";
import type { Clock } from "../runtime/clock.js";
import type { Store } from "../store/store.js";
import type { Effects, EntryChange, NewEntry, Outcome } from "../store/unit.js";
import type { Lane } from "./lane.js";
import { ownEntry } from "./own-entry.js";
import type { Run } from "./run.js";

const moveAfterMs = 30_000;

/** What slow handlers need of the runs they are among. */
export interface SlowHandlersHost {
  readonly consumer: string;
  readonly store: Store;
  readonly clock: Clock;
  commit(run: Run, effects: Effects): void;
  entryOf(run: Run, change: EntryChange): NewEntry;
  /** Whether this process may run the lane's entries: it has the lease of the lane's home. */
  mayMove(run: Run): boolean;
  /**
   * Takes the run out of its partition's flow, now that its lane's head is its entry. False when the lease of the lane's
   * home has gone meanwhile: the run is given up, and another process runs the entry.
   */
  left(run: Run): boolean;
  timedOut(run: Run, failure: Failure): void;
  join(lane: Lane): void;
  stop(error: unknown): void;
}

/**
 * Handlers that take long: past 30 s their event gets a lane entry while they go on, so that the partition's frontier
 * goes on too; past their timeout they are aborted.
 */
export class SlowHandlers {
  readonly #host: SlowHandlersHost;

  constructor(host: SlowHandlersHost) {
    this.#host = host;
  }

  /** Sets when to look at a run that starts. */
  watch(run: Run): void {
    run.deadline = run.startedAt + Math.min(run.subscription.timeoutMs, moveAfterMs);
  }

  overdue(run: Run): void {
    const { timeoutMs } = run.subscription;
    if (this.#host.clock.monotonic() - run.startedAt < timeoutMs) {
      run.deadline = run.startedAt + timeoutMs;
      if (run.parked) this.#keep(run.lane);
      else if (this.#host.mayMove(run)) this.#move(run);
      return;
    }
    const failure = new Failure(
      "HANDLER_TIMEOUT",
      `${this.#host.consumer}: the handler of ${run.record.type} did not end within ${timeoutMs} ms`,
    );
    run.context?.abort(failure);
    this.#host.timedOut(run, failure);
  }

  /** It runs from an entry already; what arrives for the lane joins it there from now on. */
  #keep(lane: Lane): void {
    if (lane.head === undefined) return;
    lane.head = { ...lane.head, state: "running" };
    this.#host.join(lane);
  }

  #move(run: Run): void {
    run.moving = true;
    // What it reads is checked when it ends.
    run.forgetReads();
    const entry = this.#host.entryOf(run, {
      state: "running",
      holds: true,
      // This run is not over: should the process die, it is not counted.
      attempt: run.attempt - 1,
      due: this.#host.clock.now(),
      failure: undefined,
    });
    this.#host.commit(run, { entry });
  }

  moved(run: Run, outcome: Outcome): void {
    if (outcome.type === "committed" && outcome.entry !== undefined) {
      this.#nowEntry(run, outcome.entry);
      return;
    }
    // It was claimed before: the first answer was lost, or it is a copy, and what its handler asks for is not stored.
    ownEntry(run, this.#host).then(
      (own) => {
        if (own?.state === "running") this.#nowEntry(run, own.entry);
        else this.stays(run);
      },
      (error) => this.#host.stop(error),
    );
  }

  #nowEntry(run: Run, entry: number): void {
    const { lane } = run;
    lane.head = { lane: lane.key, entry, state: "running", due: 0, holds: true };
    if (!this.#host.left(run)) return;
    this.#host.join(lane);
    this.stays(run);
  }

  /** The move is over, made or not: if the handler has ended meanwhile, its end counts now. */
  stays(run: Run): void {
    run.moving = false;
    const { afterMove } = run;
    run.afterMove = undefined;
    afterMove?.();
  }
}
