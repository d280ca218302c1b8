import type { Clock } from "../runtime/clock.js";
import type { Logger } from "../runtime/logger.js";
import type { Store } from "../store/store.js";
import type { Position } from "../store/unit.js";
import type { PartitionFeed } from "./feed.js";
import type { Fetcher } from "./fetcher.js";
import type { Recovery } from "./recovery.js";
import type { Runs } from "./runs.js";

/** How long handlers may go on in a partition that others wait for. Shorter than a lease. */
const handOverMs = 10_000;

/** What leasing needs of its consumer. */
export interface LeasingHost {
  readonly consumer: string;
  readonly store: Store;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly fetcher: Fetcher;
  readonly runs: Runs;
  readonly recovery: Recovery;
  wake(): void;
  /** What operators have changed is to be looked at again. */
  amended(): Promise<void>;
  stop(error: unknown): void;
}

/**
 * The leases of one consumer in this process. What is new is begun, what was lost is dropped at once, and what others
 * wait for is given up when its handlers have ended.
 */
export class Leasing {
  readonly #host: LeasingHost;
  readonly #leaving = new Set<PartitionFeed>();
  #looking: Promise<void> | undefined;
  #again = false;
  #emptied: () => void = () => {};

  constructor(host: LeasingHost) {
    this.#host = host;
  }

  /** Begins with these leases. What a dead process had of them is looked at before any of it runs. */
  async take(positions: readonly Position[]): Promise<void> {
    const { fetcher, recovery, runs } = this.#host;
    // Whoever moved the positions may have muted what comes before.
    await this.#host.amended();
    const suspects = await recovery.suspects(positions);
    for (const position of positions) fetcher.take(position);
    if (suspects !== undefined) recovery.begin(suspects);
    await runs.open();
  }

  /** Looks which leases this process has now. Asked again while it looks, it looks once more. */
  look(): Promise<void> {
    if (this.#looking !== undefined) {
      this.#again = true;
      return this.#looking;
    }
    this.#looking = this.#lookOn().finally(() => {
      this.#looking = undefined;
    });
    return this.#looking;
  }

  async #lookOn(): Promise<void> {
    try {
      do {
        this.#again = false;
        await this.#look();
      } while (this.#again);
    } catch (error) {
      this.#host.stop(error);
    }
  }

  /** Something of this consumer was acknowledged: a partition that is being left may be empty now. */
  progressed(): void {
    if (this.#leaving.size > 0 && !this.#busy) this.#emptied();
  }

  async #look(): Promise<void> {
    const { store, consumer, fetcher, logger, wake } = this.#host;
    const { held, surplus } = await store.leases(consumer);
    const before = fetcher.held;
    const lost = before.filter((position) => !has(held, position));
    if (lost.length > 0) this.#drop(lost);
    const taken = held.filter((position) => !has(before, position));
    if (taken.length > 0) {
      await this.take(taken);
      wake();
    }
    if (lost.length + taken.length > 0)
      logger.info(
        { consumer, taken: taken.map(placeOf), lost: lost.map(placeOf) },
        `${consumer} has ${held.length} partitions here now`,
      );
    if (surplus.length > 0) await this.#handOver(surplus);
  }

  #drop(lost: readonly Position[]): void {
    const { fetcher, runs } = this.#host;
    const ids = new Set(lost.map(({ id }) => id));
    for (const position of lost) fetcher.drop(position);
    for (const lane of [...runs.lanes]) {
      if (lane.running !== undefined && ids.has(positionOf(lane.running))) runs.leaving.leave(lane.running);
      else runs.leaving.drop(lane);
    }
  }

  async #handOver(surplus: readonly Position[]): Promise<void> {
    const { clock, fetcher, runs, store } = this.#host;
    const ids = new Set(surplus.map(({ id }) => id));
    for (const position of surplus) {
      const feed = fetcher.drop(position);
      if (feed !== undefined) this.#leaving.add(feed);
    }
    for (const lane of [...runs.lanes]) runs.leaving.drop(lane);
    if (this.#busy || this.#entriesRun(ids)) {
      await new Promise<void>((resolve) => {
        const cancel = clock.after(handOverMs, resolve);
        this.#emptied = () => {
          if (this.#entriesRun(ids)) return;
          cancel();
          resolve();
        };
      });
      for (const { running } of [...runs.lanes]) {
        if (running === undefined || !ids.has(positionOf(running))) continue;
        await runs.alone.withdraw(running);
        runs.leaving.leave(running);
      }
    }
    this.#leaving.clear();
    this.#emptied = () => {};
    await store.release(surplus);
    // What was left does not keep the rest waiting any more.
    this.#host.wake();
  }

  get #busy(): boolean {
    for (const feed of this.#leaving) if (feed.busy) return true;
    return false;
  }

  #entriesRun(ids: ReadonlySet<number>): boolean {
    for (const { running } of this.#host.runs.lanes)
      if (running !== undefined && ids.has(positionOf(running))) return true;
    return false;
  }
}

function positionOf({ claim }: { readonly claim: { readonly type: string; readonly position?: Position } }): number {
  return claim.position?.id ?? -1;
}

function has(positions: readonly Position[], { id, epoch }: Position): boolean {
  return positions.some((position) => position.id === id && position.epoch === epoch);
}

function placeOf({ topic, partition }: Position): string {
  return `${topic}/${partition}`;
}
