import type { Clock } from "../runtime/clock.js";
import type { Circuit } from "./circuit.js";
import type { MemoryShare } from "./memory.js";
import type { SlowRuns } from "./plan.js";
import type { Run } from "./run.js";
import { Watch } from "./watch.js";

/** What a load needs of the runs it counts. */
export interface LoadHost {
  readonly clock: Clock;
  readonly memory: MemoryShare;
  readonly circuit: Circuit;
  readonly slowRuns: SlowRuns | undefined;
  /** No run has a place any more. */
  emptied(): void;
  /** A handler that is at work is to be looked at. */
  overdue(run: Run): void;
}

/** What one consumer has on its hands: events in its lanes, runs with a place, handlers at work, bytes of events. */
export class Load {
  /** Runs with a place: their handler is at work, or its effects are on their way to disk. */
  inFlight = 0;
  /** Events in the lanes that are under the claim of their partition. */
  queued = 0;
  /** Events that were finished by the run of a newer one. */
  coalesced = 0;
  /** Handlers at work. */
  readonly watch: Watch;
  readonly memory: MemoryShare;
  readonly #circuit: Circuit;
  readonly #emptied: () => void;

  constructor({ clock, memory, circuit, slowRuns, emptied, overdue }: LoadHost) {
    this.memory = memory;
    this.watch = new Watch(clock, overdue, slowRuns);
    this.#circuit = circuit;
    this.#emptied = emptied;
  }

  /** The run takes a place, at the head of its lane. */
  occupy(run: Run): void {
    run.lane.running = run;
    this.inFlight += 1;
    // What was fetched counts since then.
    if (run.parked) this.memory.take(run.bytes);
    this.#circuit.started(run);
  }

  /** The run gives its place back; its event stays at the head of its lane. */
  release(run: Run): void {
    if (run.lane.running !== run) return;
    run.lane.running = undefined;
    this.inFlight -= 1;
    if (run.parked) this.forget(run);
    this.#circuit.ended(run);
    if (this.inFlight === 0) this.#emptied();
  }

  /** Events without a run take a place. */
  hold(): void {
    this.inFlight += 1;
  }

  /** The place of {@link hold} is free. */
  letGo(): void {
    this.inFlight -= 1;
    if (this.inFlight === 0) this.#emptied();
  }

  /** It has left its lane's queue. */
  drop(run: Run): void {
    this.queued -= 1;
    this.forget(run);
  }

  /** Its event is not one of those that were fetched and are unfinished any more. */
  forget(run: Run): void {
    run.partition?.outstanding.delete(run);
    this.memory.give(run.bytes);
    run.bytes = 0;
  }
}
