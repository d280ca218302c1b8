import type { ConsumerPlan } from "./plan.js";
import { Slot, type SlotHost } from "./slot.js";

/** Events fetched ahead of those whose handlers are at work: one batch fills a group, more only feeds the collector. */
const aheadUsual = 256;

/** The subscriptions of one consumer, each with its places. */
export class Slots {
  /** Some of the runs may have to wait for their time. */
  readonly timed: boolean;
  /** How many lanes may wait for their turn or for the commit while more is fetched: priorities choose among what was. */
  readonly aheadMax: number;
  readonly #host: SlotHost;
  readonly #byType: ReadonlyMap<string, Slot>;

  constructor({ subscriptions }: Pick<ConsumerPlan, "subscriptions">, host: SlotHost) {
    this.#host = host;
    this.#byType = new Map(subscriptions.map((one) => [one.contract.type, new Slot(one, host)]));
    this.aheadMax = subscriptions.some((one) => one.priority !== 0) ? Number.POSITIVE_INFINITY : aheadUsual;
    this.timed = subscriptions.some((one) => one.flow !== undefined);
  }

  /** Each subscription has as many lanes waiting for a place as are worth fetching: more would wait behind them. */
  get full(): boolean {
    for (const slot of this.#byType.values()) if (slot.waiting < this.aheadMax) return false;
    return true;
  }

  of(type: string): Slot | undefined {
    return this.#byType.get(type);
  }

  /** A run of the slot's handler has ended. */
  ended(slot: Slot): void {
    slot.running -= 1;
    const lane = slot.offer();
    if (lane === undefined) return;
    this.#host.lanes.enqueue(lane);
    this.#host.wake();
  }

  /** Gives a lane that waited for a free place its turn, one of each subscription. False when there is none. */
  offer(): boolean {
    let given = false;
    for (const slot of this.#byType.values()) {
      const lane = slot.offer();
      if (lane === undefined) continue;
      this.#host.lanes.enqueue(lane);
      given = true;
    }
    return given;
  }

  /** See {@link Slot.relieve}. */
  relieve(pressed: boolean, full: () => boolean): void {
    if (pressed || full()) for (const slot of this.#byType.values()) slot.relieve(pressed);
  }

  close(): void {
    for (const slot of this.#byType.values()) slot.close();
  }
}
