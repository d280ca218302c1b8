import type { Lane } from "./lane.js";
import type { Subscription } from "./plan.js";

/** A subscription with what runs of it: its places, and the lanes that wait for one. */
export class Slot {
  running = 0;
  #waiting: Lane[] = [];

  constructor(readonly subscription: Subscription) {}

  /** Takes a place for the lane's run; when it may not start now, its lane gets its turn later. */
  admits(lane: Lane): boolean {
    if (this.running >= this.subscription.concurrency) {
      this.#waiting.push(lane);
      lane.ready = true;
      return false;
    }
    this.running += 1;
    return true;
  }

  /** The lane that gets a free place. Who was offered one may have no use for it any more: then the next one gets it. */
  offer(): Lane | undefined {
    if (this.#waiting.length === 0 || this.running >= this.subscription.concurrency) return undefined;
    const next = this.#waiting.shift() as Lane;
    next.ready = false;
    return next;
  }
}
