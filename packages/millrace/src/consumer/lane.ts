import type { LogRecord } from "../log/log.js";
import type { Cancel } from "../runtime/clock.js";
import type { LaneHead } from "../store/store.js";
import type { Subscription } from "./plan.js";
import type { Run } from "./run.js";

/** The lane of a record: of its topic's key, or of the field that a pattern goes by. */
export function laneKey({ keyName, laneBy }: Subscription, { key, data }: LogRecord): string {
  if (laneBy === undefined) return `${keyName}:${key}`;
  const value = (data as Readonly<Record<string, unknown>> | null | undefined)?.[laneBy.field];
  return `${laneBy.name}:${typeof value === "string" || typeof value === "number" ? value : key}`;
}

/**
 * The queue of one key. Serial: the next event starts when the one before is on disk. While the store holds entries of
 * the lane (`head`), what arrives joins them there, in order.
 */
export class Lane {
  /** The queue's front and back; runs are linked by `next`, as most lanes hold one. */
  first: Run | undefined;
  #last: Run | undefined;
  /** The run under way, from the queue's front or from an entry. */
  running: Run | undefined;
  /** The first of the lane's entries in the store; undefined while it has none. */
  head: LaneHead | undefined;
  /** Runs sent to join the entries, not yet acknowledged. */
  joining = 0;
  /** Set while a retry in place or an entry's due time is awaited. */
  timer: Cancel | undefined;
  /** How often in a row its head was run again because it had read what changed meanwhile. */
  reloads = 0;
  /** Its entries changed while a run was under way: the store is to be asked when it ends. */
  stale = false;
  /** True while the store is asked for its head's entry. */
  asking = false;
  /** How often the store is being asked who its head is: what it has to do is not known before. */
  looking = 0;
  /** True while another process runs its entries. */
  away = false;
  /** True while the lane stands in a queue for a free place. */
  ready = false;
  /** Its place in the order in which lanes came to that queue. */
  readySince = 0;

  constructor(readonly key: string) {}

  /** The back of the queue. */
  get last(): Run | undefined {
    return this.#last;
  }

  push(run: Run): void {
    if (this.#last === undefined) this.first = run;
    else this.#last.next = run;
    this.#last = run;
  }

  shift(): Run | undefined {
    const run = this.first;
    this.first = run?.next;
    if (this.first === undefined) this.#last = undefined;
    if (run !== undefined) run.next = undefined;
    return run;
  }

  /** Takes the runs out of the queue that are under a claim which is not this process's any more. */
  drop(lost: (run: Run) => boolean): Run[] {
    const dropped: Run[] = [];
    const kept: Run[] = [];
    for (let run = this.shift(); run !== undefined; run = this.shift()) (lost(run) ? dropped : kept).push(run);
    for (const run of kept) this.push(run);
    return dropped;
  }

  /** Forgets what waits behind the run under way. */
  forget(): void {
    this.timer?.();
    if (this.running !== this.first) this.first = undefined;
    if (this.first !== undefined) this.first.next = undefined;
    this.#last = this.first;
  }

  get idle(): boolean {
    const { running, first, joining, head, looking } = this;
    return running === undefined && first === undefined && joining === 0 && head === undefined && looking === 0;
  }

  /** Nothing of it needs this process's attention: a held lane's dead head waits for an operator. */
  get resting(): boolean {
    const { running, first, joining, head, looking } = this;
    const waits = head === undefined || head.state === "dead" || this.away;
    return running === undefined && first === undefined && joining === 0 && looking === 0 && waits;
  }
}
