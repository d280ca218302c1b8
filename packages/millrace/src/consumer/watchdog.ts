import type { Cancel, Clock } from "../runtime/clock.js";
import type { Logger } from "../runtime/logger.js";
import type { PartitionFeed } from "./feed.js";
import type { Run } from "./run.js";

const lookEveryMs = 10_000;
/** A handler that runs for longer holds its key, and the place it takes. */
const runningMsMax = 30_000;
/** An event that is the oldest of its partition for longer holds up the frontier. */
const oldestMsMax = 60_000;

/** An event that holds others up. */
export interface Blocked {
  readonly event: string;
  readonly type: string;
  readonly key: string;
  /** Since when its handler runs, or it is the oldest of its partition; ms since the epoch. */
  readonly since: number;
  readonly how: "its handler is still running" | "the oldest of its partition, and not done";
}

/** What a watchdog looks at. */
export interface WatchdogHost {
  readonly consumer: string;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly partitions: () => readonly PartitionFeed[];
  /** The run whose handler has been at work for longest. */
  longest(): Run | undefined;
  /** There is something to watch. */
  busy(): boolean;
}

/**
 * Names the event that holds others up: a handler that does not end, or a partition whose oldest event does not get
 * done. Looks every ten seconds while there is work, so that events pay nothing for it.
 */
export class Watchdog {
  readonly #host: WatchdogHost;
  /** The oldest event of each partition at the last look, and since when it is. */
  readonly #oldest = new Map<PartitionFeed, { readonly run: Run; readonly since: number }>();
  readonly #warned = new WeakSet<Run>();
  #cancel: Cancel | undefined;

  constructor(host: WatchdogHost) {
    this.#host = host;
  }

  /** There is work: looks from now on. */
  arm(): void {
    this.#cancel ??= this.#host.clock.after(lookEveryMs, () => this.#look());
  }

  close(): void {
    this.#cancel?.();
  }

  /** As of now: an event that was done since the last look is not named any more. */
  get blocked(): Blocked | undefined {
    return this.#find()?.blocked;
  }

  #look(): void {
    this.#cancel = undefined;
    if (!this.#host.busy()) {
      this.#oldest.clear();
      return;
    }
    const now = this.#host.clock.monotonic();
    for (const partition of this.#host.partitions()) {
      const run = oldestOf(partition);
      if (run === undefined) this.#oldest.delete(partition);
      else if (this.#oldest.get(partition)?.run !== run) this.#oldest.set(partition, { run, since: now });
    }
    const found = this.#find();
    if (found !== undefined && !this.#warned.has(found.run)) {
      this.#warned.add(found.run);
      const { event, type, key, how, since } = found.blocked;
      const { consumer, logger } = this.#host;
      logger.warn(
        { consumer, event, type, key, since },
        `${consumer} is blocked by ${type} ${event} of key ${key} since ${new Date(since).toISOString()}: ${how}`,
      );
    }
    this.arm();
  }

  #find(): { readonly run: Run; readonly blocked: Blocked } | undefined {
    const now = this.#host.clock.monotonic();
    const run = this.#host.longest();
    if (run !== undefined && now - run.startedAt >= runningMsMax)
      return this.#blocked(run, now - run.startedAt, "its handler is still running");
    for (const [partition, { run: oldest, since }] of this.#oldest)
      if (now - since >= oldestMsMax && oldestOf(partition) === oldest)
        return this.#blocked(oldest, now - since, "the oldest of its partition, and not done");
    return undefined;
  }

  #blocked(run: Run, forMs: number, how: Blocked["how"]) {
    const { id: event, type, key } = run.record;
    return { run, blocked: { event, type, key, since: this.#host.clock.now() - Math.round(forMs), how } };
  }
}

/** Events are dispatched in order, and leave when they are done. */
function oldestOf(partition: PartitionFeed): Run | undefined {
  for (const run of partition.outstanding) return run;
  return undefined;
}
