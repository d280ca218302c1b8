import { Failure } from "../failure/failure.js";
import type { LaneHead } from "../store/store.js";
import type { Position } from "../store/unit.js";
import type { Lane } from "./lane.js";
import type { Lanes } from "./lanes.js";
import type { Load } from "./load.js";
import type { Run } from "./run.js";
import type { Slot } from "./slot.js";
import type { Slots } from "./slots.js";

/** What leaving needs of the runs that are left. */
export interface LeavingHost {
  readonly consumer: string;
  readonly load: Load;
  readonly lanes: Lanes;
  readonly slots: Slots;
  /** The position under whose epoch the lane's entries run; undefined when another process has it. */
  homeOf(lane: Lane): Position | undefined;
}

/** Events that leave this process's partitions: their lease is another process's now, or they are lane entries. */
export class Leaving {
  readonly #host: LeavingHost;

  constructor(host: LeavingHost) {
    this.#host = host;
  }

  /** Takes what has not begun, of partitions that were left, out of a lane: it runs where the lease is. */
  drop(lane: Lane): void {
    const { load, lanes } = this.#host;
    const dropped = lane.drop((run) => run !== lane.running && run.partition?.left === true);
    for (const run of dropped) load.drop(run);
    lane.away = lane.head !== undefined && this.#host.homeOf(lane) === undefined;
    if (lane.away || dropped.length > 0) {
      lane.timer?.();
      lane.timer = undefined;
    }
    lanes.advance(lane);
  }

  /** Gives up a run whose lease is gone: what it does now cannot be committed. */
  leave(run: Run): void {
    const { consumer, load, slots } = this.#host;
    const { lane, context } = run;
    run.gone = true;
    if (context !== undefined) {
      load.watch.delete(run);
      run.context = undefined;
      slots.ended(slots.of(run.record.type) as Slot);
      const reason = new Failure("FENCED", `${consumer}: another process has taken this event's partition over`);
      context.abort(reason);
      context.close();
    }
    if (run.partition !== undefined) run.partition.left = true;
    load.release(run);
    load.forget(run);
    this.drop(lane);
  }

  /** The event has left its partition: it is a lane entry now. False when another process runs that. */
  becameEntry(run: Run): boolean {
    const { load } = this.#host;
    load.forget(run);
    run.partition = undefined; // What becomes of that does not concern it from now on.
    run.lane.shift();
    load.queued -= 1;
    const position = this.#host.homeOf(run.lane);
    if (position === undefined) {
      this.leave(run);
      return false;
    }
    const { entry } = run.lane.head as LaneHead;
    run.claim = { type: "lane-entry", position, entry, attempt: run.attempt - 1, redrives: run.redrives };
    return true;
  }
}
