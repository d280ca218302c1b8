import type { Cancel, Clock } from "../runtime/clock.js";
import { Flow } from "./flow.js";
import type { Lane } from "./lane.js";
import type { Lanes } from "./lanes.js";
import type { Subscription } from "./plan.js";
import type { Run } from "./run.js";

/** What a slot needs of the runs it is among. */
export interface SlotHost {
  readonly clock: Clock;
  readonly lanes: Lanes;
  wake(): void;
}

/** A subscription with what runs of it: its places, and the lanes that wait for one, or for their time. */
export class Slot {
  running = 0;
  readonly subscription: Subscription;
  readonly #host: SlotHost;
  readonly #flow: Flow | undefined;
  #waiting: Lane[] = [];
  readonly #timed = new Set<Lane>();
  #cancel: Cancel | undefined;

  constructor(subscription: Subscription, host: SlotHost) {
    this.subscription = subscription;
    this.#host = host;
    this.#flow = subscription.flow && new Flow(subscription.flow, host.clock);
  }

  /** How many lanes wait for a place. */
  get waiting(): number {
    return this.#waiting.length;
  }

  /** Takes a place for the lane's run; when it may not start now, its lane gets its turn later. */
  admits(lane: Lane, run: Run): boolean {
    if (this.#flow !== undefined && !this.#isTime(this.#flow, lane, run)) return false;
    if (!this.#open) {
      this.#waiting.push(lane);
      lane.ready = true;
      return false;
    }
    this.#flow?.started(lane);
    this.running += 1;
    return true;
  }

  #isTime(flow: Flow, lane: Lane, run: Run): boolean {
    const waitMs = flow.laneWaitMs(lane, run);
    if (waitMs === 0) {
      this.#timed.delete(lane);
      return true;
    }
    this.#timed.add(lane);
    this.#host.lanes.after(lane, waitMs);
    return false;
  }

  /** A place is free, and the subscription's rate allows another run; else the consumer is woken when it does. */
  get #open(): boolean {
    if (this.running >= this.subscription.concurrency) return false;
    const waitMs = this.#flow?.waitMs() ?? 0;
    if (waitMs === 0) return true;
    this.#cancel ??= this.#host.clock.after(waitMs, () => {
      this.#cancel = undefined;
      this.#host.wake();
    });
    return false;
  }

  /** The lane that gets a free place. Who was offered one may have no use for it any more: then the next one gets it. */
  offer(): Lane | undefined {
    if (this.#waiting.length === 0 || !this.#open) return undefined;
    const next = this.#waiting.shift() as Lane;
    next.ready = false;
    return next;
  }

  /**
   * Nothing more can be fetched while lanes wait for their time. They make room: what waits for its key to be quiet
   * runs now, what waits for its key's rate goes to entries in the store, in order, and waits there.
   */
  relieve(pressed: boolean): void {
    for (const lane of this.#timed) {
      const run = lane.first;
      // It has entries already, or waits for something else by now.
      if (lane.timer === undefined || lane.head !== undefined || run === undefined) this.#timed.delete(lane);
      else if (pressed || run.partition?.full === true) this.#relieve(lane, run);
    }
  }

  #relieve(lane: Lane, run: Run): void {
    const { lanes } = this.#host;
    this.#timed.delete(lane);
    lane.timer?.();
    lane.timer = undefined;
    if (this.#flow !== undefined && this.#flow.quietWaitMs(run) > 0) {
      run.hurried = true;
      lanes.enqueue(lane);
    } else lanes.join(lane);
  }

  close(): void {
    this.#cancel?.();
    this.#waiting = [];
    this.#timed.clear();
  }
}
