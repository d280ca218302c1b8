import type { OpenEngine } from "../engine/engine.js";
import type { Cancel, Clock } from "../runtime/clock.js";
import type { Logger } from "../runtime/logger.js";
import type { Position } from "../store/unit.js";
import { type Alone, aloneMax, aloneMs, chargeCrashes } from "./alone.js";
import type { PartitionFeed } from "./feed.js";
import type { Lanes } from "./lanes.js";
import type { ConsumerPlan } from "./plan.js";

/** More is never dispatched past the oldest unfinished event of a partition. */
const windowMax = 10_000;
/** One crash is a deploy or a power cut; after two, the events under way then are suspects. */
const crashesMin = 2;

/** What a recovery needs of its consumer. */
export interface RecoveryHost {
  readonly plan: ConsumerPlan;
  readonly engine: OpenEngine;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly lanes: Lanes;
  readonly alone: Alone;
  /** The partitions that are read, one for each position that was begun. */
  readonly partitions: () => readonly PartitionFeed[];
  /** The one of these positions under whose epoch the lanes of a home run. */
  homeAmong(positions: readonly Position[], home: number): Position | undefined;
  /** Events run one at a time from now on, or side by side again. */
  turned(): void;
  /** Nothing has moved for long: what waits in lanes is looked at anew. */
  lookAgain(): void;
  stop(error: unknown): void;
}

/** What may have been under way when a process died. */
export interface Suspects {
  /** Crashed partitions by their position, and where their topic ended when they were taken. */
  readonly ends: ReadonlyMap<number, number>;
  /** The heads of lanes that were due then: entry by lane. */
  readonly heads: ReadonlyMap<string, number>;
  /** Lanes whose head a process has died of before: they come last, so that a kill in quick succession meets others. */
  readonly charged: readonly string[];
  readonly now: number;
}

/**
 * What a consumer does at its start, and when it takes over what a dead process had: until the events that may have been
 * under way then are done, the crash counts. From the second on they run one at a time, so that it shows which of them
 * kills.
 */
export class Recovery {
  readonly #host: RecoveryHost;
  readonly #ends = new Map<PartitionFeed, number>();
  readonly #heads = new Map<string, number>();
  readonly #charged = new Set<string>();
  #now = 0;
  #open = false;
  /** Running one at a time was given up: not before the next crash is it begun again. */
  #excused = false;
  #giveUp: Cancel | undefined;

  constructor(host: RecoveryHost) {
    this.#host = host;
    host.alone.onSlow = () => this.calm();
    host.alone.defers = (lane) => this.#defers(lane);
    host.alone.suspect = (lane, entry) => this.#suspect(lane, entry);
  }

  /**
   * Before anything of these positions runs: charges the events that were running alone when their process died, and
   * finds those that may have been under way. Undefined when it ended in order, or with nothing to do.
   */
  async suspects(positions: readonly Position[]): Promise<Suspects | undefined> {
    const { plan, engine, clock, logger } = this.#host;
    const { store, log } = engine;
    const homeOf = (home: number) => this.#host.homeAmong(positions, home);
    const subscription = (type: string) => plan.subscriptions.find((one) => one.contract.type === type);
    const heads = await store.readLaneHeads(plan.name);
    await chargeCrashes({ consumer: plan.name, store, clock, logger, homeOf, subscription }, heads);
    const crashed = positions.filter(({ crashes }) => crashes > 0);
    if (crashed.length === 0) return undefined;
    const ends = new Map<number, number>();
    for (const { id, topic, partition } of crashed) ends.set(id, (await log.ends(topic))[partition] ?? 0);
    const now = clock.now();
    const due = new Map<string, number>();
    const charged: string[] = [];
    for (const head of await store.readLaneHeads(plan.name)) {
      if (head.state === "dead" || head.due > now) continue;
      const entry = await store.readEntry(head.entry);
      if (entry === undefined || homeOf(entry.home) === undefined) continue;
      due.set(head.lane, head.entry);
      if ((entry.failure?.crashes ?? 0) > 0) charged.push(head.lane);
    }
    return { ends, heads: due, charged, now };
  }

  /** From now on their crash counts until they are done. The partitions that they are in are read already. */
  begin({ ends, heads, charged, now }: Suspects): void {
    const { plan, logger } = this.#host;
    let crashes = 0;
    for (const feed of this.#host.partitions()) {
      const end = ends.get(feed.position.id);
      if (end === undefined) continue;
      this.#ends.set(feed, end);
      crashes = Math.max(crashes, feed.position.crashes);
    }
    for (const [lane, entry] of heads) this.#heads.set(lane, entry);
    for (const lane of charged) this.#charged.add(lane);
    this.#now = now;
    this.#open = true;
    if (crashes < crashesMin) return;
    logger.warn(
      { consumer: plan.name, crashes },
      `${plan.name}: a process died ${crashes} times with its events under way; they run one at a time now, before anything else`,
    );
    this.#excused = false;
    this.#goAlone();
  }

  /** An entry that another process gave away while it looked for the culprit, or that was charged before. */
  #suspect(lane: string, entry: number): boolean {
    if (this.#excused) return false;
    this.#heads.set(lane, entry);
    this.#now = Math.max(this.#now, this.#host.clock.now());
    this.#open = true;
    this.#goAlone();
    return true;
  }

  #goAlone(): void {
    const { alone } = this.#host;
    alone.announced = 0;
    if (alone.active) return;
    alone.active = true;
    this.#watch();
    this.#host.turned();
  }

  /** Handlers that are at work, here or in other consumers, end first. One that takes for ever must not stop all. */
  #watch(): void {
    const { alone, clock } = this.#host;
    const { announced } = alone;
    this.#giveUp = clock.after(aloneMs, () => {
      if (alone.announced !== announced) this.#watch();
      else this.#excuse();
    });
  }

  #excuse(): void {
    this.#excused = true;
    this.calm();
    this.#host.lookAgain();
  }

  /** Looks whether the suspects are done. */
  look(): void {
    if (!this.#open) return;
    const { alone } = this.#host;
    const done = this.#entriesDone() && this.#recordsDone();
    if (alone.active && done) this.calm();
    else if (alone.active && alone.announced >= aloneMax) this.#excuse();
    if (done) this.#forget();
  }

  /** Ends the running one at a time. */
  calm(): void {
    const { alone } = this.#host;
    if (!alone.active) return;
    alone.active = false;
    this.close();
    this.#host.turned();
  }

  close(): void {
    this.#giveUp?.();
    this.#giveUp = undefined;
  }

  /** True while the lane is to wait, as its head was charged before and other suspects have not run yet. */
  #defers(lane: string): boolean {
    const { alone } = this.#host;
    if (!alone.active || !this.#charged.has(lane) || alone.announced >= aloneMax / 2) return false;
    return !this.#entriesDone((key) => !this.#charged.has(key)) || !this.#recordsDone();
  }

  #entriesDone(which: (lane: string) => boolean = () => true): boolean {
    for (const [key, entry] of this.#heads) {
      if (!which(key)) continue;
      const { head, running, away } = this.#host.lanes.find(key) ?? {};
      if (
        running !== undefined ||
        (away === false && head?.entry === entry && head.state !== "dead" && head.due <= this.#now)
      )
        return false;
      this.#heads.delete(key);
    }
    return true;
  }

  #recordsDone(): boolean {
    for (const [partition, end] of this.#ends) {
      // Handed over: what is left of it runs in another process, and counts there.
      if (partition.left) continue;
      if (partition.folding !== undefined && partition.folding < end) return false;
      for (const { claim, sequence } of partition.outstanding) {
        if (claim.type === "record" && claim.offset < end && sequence < windowMax) return false;
        break;
      }
      if (partition.scanned < end && partition.dispatched < windowMax) return false;
    }
    return true;
  }

  #forget(): void {
    const { engine, stop } = this.#host;
    const positions = [...this.#ends.keys()].map(({ position }) => position);
    this.#ends.clear();
    this.#charged.clear();
    this.#open = false;
    if (positions.length === 0) return;
    try {
      const answer = engine.store.recovered(positions);
      if (answer instanceof Promise) answer.catch(stop);
    } catch (error) {
      stop(error);
    }
  }
}
