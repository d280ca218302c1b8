import type { Logger } from "../runtime/logger.js";
import type { Store } from "../store/store.js";
import type { Position } from "../store/unit.js";
import { aloneMax, chargeCrashes } from "./alone.js";
import type { PartitionFeed } from "./feed.js";
import type { Lanes } from "./lanes.js";
import type { ConsumerHost, ConsumerPlan } from "./plan.js";

/** More is never dispatched past the oldest unfinished event of a partition. */
const windowMax = 10_000;
/** One crash is a deploy or a power cut; after two, the events under way then are suspects. */
const crashesMin = 2;

/** What a recovery needs of its consumer. */
export interface RecoveryHost {
  readonly consumer: string;
  readonly store: Store;
  readonly logger: Logger;
  readonly lanes: Lanes;
  readonly partitions: readonly PartitionFeed[];
  /** How many runs have been alone so far. */
  announced(): number;
  /** The events behind may run side by side again. */
  calmed(): void;
  stop(error: unknown): void;
}

/** What may have been under way when the process died. */
export interface Suspects {
  /** Crashed partitions, and where their topic ended at the start. */
  readonly ends: ReadonlyMap<PartitionFeed, number>;
  /** The heads of lanes that were due then: entry by lane. */
  readonly heads: Map<string, number>;
  /** Lanes whose head a process has died of before: they come last, so that a kill in quick succession meets others. */
  readonly charged: ReadonlySet<string>;
  readonly now: number;
}

/**
 * What a consumer does after its process has died: until the events that may have been under way are done, the crash
 * counts. From the second on they run one at a time, so that it shows which of them kills.
 */
export class Recovery {
  /** Events run one at a time. */
  alone: boolean;
  readonly #host: RecoveryHost;
  readonly #suspects: Suspects;
  readonly #positions: readonly Position[];

  constructor(host: RecoveryHost, suspects: Suspects) {
    this.#host = host;
    this.#suspects = suspects;
    this.#positions = [...suspects.ends.keys()].map((partition) => partition.position);
    const crashes = Math.max(...this.#positions.map((position) => position.crashes));
    this.alone = crashes >= crashesMin;
    if (this.alone)
      host.logger.warn(
        { consumer: host.consumer, crashes },
        `${host.consumer}: the process died ${crashes} times with its events under way; they run one at a time now, before anything else`,
      );
  }

  /** Looks whether the suspects are done. True when the recovery is over. */
  look(): boolean {
    const done = this.#entriesDone() && this.#recordsDone();
    if (this.alone && (done || this.#host.announced() >= aloneMax)) this.calm();
    if (done) this.#forget();
    return done;
  }

  /** Ends the running one at a time. */
  calm(): void {
    if (!this.alone) return;
    this.alone = false;
    this.#host.calmed();
  }

  /** True while the lane is to wait, as its head was charged before and other suspects have not run yet. */
  defers(lane: string): boolean {
    if (!this.alone || !this.#suspects.charged.has(lane) || this.#host.announced() >= aloneMax / 2) return false;
    return !this.#entriesDone((key) => !this.#suspects.charged.has(key)) || !this.#recordsDone();
  }

  #entriesDone(which: (lane: string) => boolean = () => true): boolean {
    const { heads, now } = this.#suspects;
    for (const [key, entry] of heads) {
      if (!which(key)) continue;
      const { head, running, away } = this.#host.lanes.find(key) ?? {};
      if (
        running !== undefined ||
        (away === false && head?.entry === entry && head.state !== "dead" && head.due <= now)
      )
        return false;
      heads.delete(key);
    }
    return true;
  }

  #recordsDone(): boolean {
    for (const [partition, end] of this.#suspects.ends) {
      // Handed over: what is left of it runs in another process, and counts there.
      if (partition.left) continue;
      for (const { claim, sequence } of partition.outstanding) {
        if (claim.type === "record" && claim.offset < end && sequence < windowMax) return false;
        break;
      }
      if (partition.scanned < end && partition.dispatched < windowMax) return false;
    }
    return true;
  }

  #forget(): void {
    const { store, stop } = this.#host;
    try {
      const answer = store.recovered(this.#positions);
      if (answer instanceof Promise) answer.catch(stop);
    } catch (error) {
      stop(error);
    }
  }
}

/** What looking for suspects needs. */
export interface SuspectsHost {
  readonly plan: ConsumerPlan;
  readonly host: ConsumerHost;
  /** The position under whose epoch the lanes of a home run, if this process has it. */
  homeOf(home: number): Position | undefined;
  readonly partitions: readonly PartitionFeed[];
}

/**
 * At the start, before anything runs: charges the event that was running alone when the process died, and finds those
 * that may have been under way. Undefined when the last process ended in order, or with nothing to do.
 */
export async function suspectsOf({ plan, host, homeOf, partitions }: SuspectsHost): Promise<Suspects | undefined> {
  const { engine, clock, logger } = host;
  const { store } = engine;
  const heads = await store.readLaneHeads(plan.name);
  const subscription = (type: string) => plan.subscriptions.find((one) => one.contract.type === type);
  await chargeCrashes({ consumer: plan.name, store, clock, logger, homeOf, subscription }, heads);
  const crashed = partitions.filter(({ position }) => position.crashes > 0);
  if (crashed.length === 0) return undefined;
  const ends = new Map<PartitionFeed, number>();
  for (const partition of crashed) {
    const { topic, partition: index } = partition.position;
    ends.set(partition, (await engine.log.ends(topic))[index] ?? 0);
  }
  const now = clock.now();
  const due = (await store.readLaneHeads(plan.name)).filter((head) => head.state !== "dead" && head.due <= now);
  const charged = new Set<string>();
  for (const { lane, entry } of due) if (((await store.readEntry(entry))?.failure?.crashes ?? 0) > 0) charged.add(lane);
  return { ends, heads: new Map(due.map(({ lane, entry }) => [lane, entry])), charged, now };
}
