import type { Lane } from "./lane.js";
import type { Subscription } from "./plan.js";
import { Slot, type SlotHost } from "./slot.js";

/** The subscriptions of one consumer, each with its places. */
export class Slots {
  /** Some of the runs may have to wait for their time. */
  readonly timed: boolean;
  readonly #host: SlotHost;
  readonly #byType: ReadonlyMap<string, Slot>;

  constructor(subscriptions: readonly Subscription[], host: SlotHost) {
    this.#host = host;
    this.#byType = new Map(subscriptions.map((one) => [one.contract.type, new Slot(one, host)]));
    this.timed = subscriptions.some((one) => one.flow !== undefined);
  }

  of(type: string): Slot | undefined {
    return this.#byType.get(type);
  }

  /** A run of the slot's handler has ended. */
  ended(slot: Slot): void {
    slot.running -= 1;
    this.#give(slot.offer());
  }

  /** Offers what places there are. */
  offer(): void {
    for (const slot of this.#byType.values()) this.#give(slot.offer());
  }

  /** See {@link Slot.relieve}. */
  relieve(pressed: boolean): void {
    for (const slot of this.#byType.values()) slot.relieve(pressed);
  }

  close(): void {
    for (const slot of this.#byType.values()) slot.close();
  }

  #give(lane: Lane | undefined): void {
    if (lane === undefined) return;
    this.#host.lanes.enqueue(lane);
    this.#host.wake();
  }
}
