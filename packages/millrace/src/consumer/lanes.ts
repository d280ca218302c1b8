import type { Clock } from "../runtime/clock.js";
import type { LaneHead, Store } from "../store/store.js";
import { Lane } from "./lane.js";
import { ReadyQueue } from "./ready-queue.js";
import type { Run } from "./run.js";
import { lookMs } from "./timers.js";

/** What the lanes need of their consumer. */
export interface LanesHost {
  readonly consumer: string;
  readonly store: Store;
  readonly clock: Clock;
  /** Whether this process runs the lane's entries: it has the lease of the lane's home. */
  runsEntries(lane: string): boolean;
  /** Sends a run to stand behind the lane's entries. */
  join(run: Run): void;
  wake(): void;
  stop(error: unknown): void;
}

/** The lanes of one consumer that have something to do, and what each does next. */
export class Lanes {
  readonly #host: LanesHost;
  readonly #lanes = new Map<string, Lane>();
  #ready = new ReadyQueue();

  constructor(host: LanesHost) {
    this.#host = host;
  }

  of(key: string): Lane {
    let lane = this.#lanes.get(key);
    if (lane === undefined) {
      lane = new Lane(key);
      this.#lanes.set(key, lane);
    }
    return lane;
  }

  /** The lane, if it has something to do. */
  find(key: string): Lane | undefined {
    return this.#lanes.get(key);
  }

  /** No lane waits for a run, a retry or an acknowledgement. */
  get resting(): boolean {
    for (const lane of this.#lanes.values()) if (!lane.resting) return false;
    return true;
  }

  /** How many lanes wait for their turn. */
  get readyCount(): number {
    return this.#ready.length;
  }

  /** The lane whose turn it is. */
  next(): Lane | undefined {
    const lane = this.#ready.shift();
    if (lane !== undefined) lane.ready = false;
    return lane;
  }

  /** Decides what a lane does next: wait, join its entries, run, or be forgotten. */
  advance(lane: Lane): void {
    const { running, head } = lane;
    // The run that was under way when its entries changed is over: it was given up, and nobody has looked since.
    if (lane.stale && running === undefined) {
      void this.refresh(lane);
      return;
    }
    // While its head waits, or a slow handler has it, what arrives joins it at once: the frontier goes on.
    if (running === undefined ? head !== undefined || lane.joining > 0 : head?.state === "running") this.join(lane);
    else if (running !== undefined || lane.timer !== undefined) return;
    else if (lane.first !== undefined) this.enqueue(lane);
    else if (lane.idle) this.#lanes.delete(lane.key);
  }

  enqueue(lane: Lane): void {
    if (lane.ready) return;
    lane.ready = true;
    this.#ready.push(lane);
  }

  /** A held lane: what arrived stands behind its entries, in order. */
  join(lane: Lane): void {
    for (let run = lane.shift(); run !== undefined; run = lane.shift()) {
      lane.joining += 1;
      this.#host.join(run);
    }
  }

  setHead(lane: Lane, head: LaneHead | undefined): void {
    lane.head = head?.holds === true ? head : undefined;
    lane.away = lane.head !== undefined && !this.#host.runsEntries(lane.key);
    lane.timer?.();
    lane.timer = undefined;
    if (lane.head === undefined || lane.head.state === "dead") {
      this.advance(lane);
      return;
    }
    this.join(lane);
    // Whoever has its home runs the entries, and tells when the lane is free again.
    if (lane.away) return;
    // Who was running it is gone: its time has come.
    const waitMs = lane.head.state === "running" ? 0 : lane.head.due - this.#host.clock.now();
    if (waitMs > 0) {
      this.after(lane, waitMs);
      return;
    }
    this.enqueue(lane);
    this.#host.wake();
  }

  /** Gives the lane its turn after a while; an entry's due time is looked at again now and then, as clocks are set. */
  after(lane: Lane, waitMs: number): void {
    lane.timer = this.#host.clock.after(Math.min(waitMs, lookMs), () => {
      lane.timer = undefined;
      if (waitMs > lookMs && lane.head !== undefined) {
        this.setHead(lane, lane.head);
        return;
      }
      this.enqueue(lane);
      this.#host.wake();
    });
  }

  /** Asks the store who is the lane's head now; when the store cannot say, the consumer stops. */
  async refresh(lane: Lane): Promise<void> {
    lane.stale = lane.running !== undefined;
    if (lane.stale) return;
    try {
      const answer = this.#host.store.readLaneHead(this.#host.consumer, lane.key);
      const head = answer instanceof Promise ? await this.#looked(lane, answer) : answer;
      lane.stale = lane.running !== undefined;
      if (lane.stale) return;
      this.setHead(lane, head);
      this.#host.wake();
    } catch (error) {
      this.#host.stop(error);
    }
  }

  async #looked(lane: Lane, answer: Promise<LaneHead | undefined>): Promise<LaneHead | undefined> {
    lane.looking += 1;
    try {
      return await answer;
    } finally {
      lane.looking -= 1;
    }
  }

  /** The lanes that this process knows of; the others have nothing to do here. */
  [Symbol.iterator](): IterableIterator<Lane> {
    return this.#lanes.values();
  }

  /** Looks again at a lane that another process changed; one that has nothing to do here is left alone. */
  changed(key: string): void {
    const lane = this.#lanes.get(key);
    if (lane !== undefined) void this.refresh(lane);
    else if (this.#host.runsEntries(key)) void this.refresh(this.of(key));
  }

  /** Nothing more is to run: what waits is not kept in memory. */
  clear(): void {
    for (const lane of this.#lanes.values()) lane.forget();
    this.#lanes.clear();
    this.#ready = new ReadyQueue();
  }

  close(): void {
    for (const lane of this.#lanes.values()) lane.timer?.();
  }
}
