import type { Received } from "../contract/contract.js";
import type { LogRecord } from "../log/log.js";
import { signal } from "../runtime/signals.js";
import type { Outcome } from "../store/unit.js";
import type { Alone } from "./alone.js";
import { BatchRefused } from "./batch.js";
import { BulkPace } from "./bulk-pace.js";
import { BulkTurns } from "./bulk-turns.js";
import { type Arrival, BulkUnit } from "./bulk-unit.js";
import { type ContextHost, HandlerContext } from "./context.js";
import type { PartitionFeed } from "./feed.js";
import { laneKey } from "./lane.js";
import type { Lanes } from "./lanes.js";
import { isLate } from "./late.js";
import type { Load } from "./load.js";
import type { Subscription } from "./plan.js";
import { receive } from "./received.js";
import type { RunsHost } from "./runs.js";

const handledSignal = signal("handled");
const nothing: ReadonlySet<string> = new Set();

/** What a bulk needs of the runs it is beside. */
export interface BulkHost {
  readonly contextHost: ContextHost;
  readonly lanes: Lanes;
  readonly alone: Alone;
  readonly load: Load;
  subscription(type: string): Subscription;
  /** Gives an event to its lane. */
  dispatch(arrival: Arrival, amended: LogRecord): void;
}

/**
 * What comes of a consumer's topics, many events in one unit of work and none of them with a run of its own. Whatever is
 * out of the ordinary is left to the runs: an event that fails, or whose lane has something to do, goes to its lane once
 * the unit before it is stored, with the attempts, the lane entry and the dead letter that any handler's has.
 */
export class Bulk {
  readonly #consumer: RunsHost;
  readonly #host: BulkHost;
  #waiting: Arrival[] = [];
  #unit: BulkUnit | undefined;
  /** The unit is being folded by a store that does not answer at once, or is on its way to disk. */
  #busy = false;
  #closed = false;
  readonly #pace: BulkPace;
  readonly #turns: BulkTurns;
  /** Events that failed in a unit: they run alone, and the unit before them is stored first. */
  readonly #culprits = new Set<string>();

  constructor(consumer: RunsHost, host: BulkHost) {
    this.#consumer = consumer;
    this.#host = host;
    this.#pace = new BulkPace(consumer.host.background);
    const behind = () => !consumer.feeds.atEnd || this.#waiting.length > this.#pace.eventsMax;
    this.#turns = new BulkTurns(consumer.host, behind, () => consumer.wake());
  }

  /** More may be fetched. */
  get hungry(): boolean {
    return !this.#busy && this.#waiting.length === 0 && !this.#turns.waiting;
  }

  /** Events that were fetched and are not stored. */
  get events(): number {
    return this.#waiting.length + (this.#unit?.events ?? 0);
  }

  /** Takes what was fetched. */
  take(partition: PartitionFeed, record: LogRecord, bytes: number): void {
    this.#host.load.memory.take(bytes);
    partition.arrived += 1;
    this.#waiting.push({ partition, record, bytes });
  }

  /** Folds what waits. `more`: what comes next is on its way, or about to be fetched. */
  work(more: boolean): void {
    if (this.#busy || this.#closed || this.#turns.waiting) return;
    if (this.#unit?.left === true) this.#again(this.#unit, false);
    // After what came now, more may come.
    const came = this.#waiting.length > 0;
    if (came && !this.#turns.enter()) return;
    this.#fold();
    if (!this.#busy) this.#store(more || came);
    if (this.#busy) return;
    this.#turns.ended();
    if (came && this.#waiting.length > 0) setImmediate(() => this.#consumer.wake());
  }

  /** Nothing starts for now: what was begun is stored. */
  pause(): void {
    if (this.#busy || this.#unit === undefined) return;
    if (this.#unit.left) this.#again(this.#unit, false);
    else this.#commit(this.#unit);
  }

  /** Nothing starts any more; what is not on its way to disk is folded again after the next start. */
  close(): void {
    this.#closed = true;
    this.#turns.close();
    this.#waiting = [];
  }

  #store(more: boolean): void {
    const unit = this.#unit;
    if (unit === undefined) return;
    const { clock } = this.#consumer.host;
    const enough = this.#pace.isEnough(unit.size, clock.monotonic() - unit.begunAt);
    if (unit.sealed || enough || !more || this.#consumer.feeds.atEnd) this.#commit(unit);
  }

  /** Gives what waits to the unit under way, up to an event that has to go to its lane; then that one waits for the unit. */
  #fold(): void {
    const [waiting, { eventsMax }] = [this.#waiting, this.#pace];
    const events: Received<string, unknown>[] = [];
    const places: Arrival[] = [];
    let at = 0;
    try {
      for (; at < waiting.length && this.#unit?.sealed !== true && events.length < eventsMax; at += 1) {
        const arrival = waiting[at] as Arrival;
        if (!arrival.partition.left && !this.#admit(arrival, events, places)) break;
        this.#arrived(arrival);
      }
    } catch (error) {
      this.#waiting = waiting.slice(at);
      this.#failed(error, places);
      return;
    }
    this.#waiting = at === waiting.length ? [] : waiting.slice(at);
    if (events.length > 0) this.#handle(this.#unit as BulkUnit, events, places);
  }

  /** False when it has to wait for the unit under way, which is sealed by it. */
  #admit(arrival: Arrival, events: Received<string, unknown>[], places: Arrival[]): boolean {
    const { partition, record: fetched } = arrival;
    const record = this.#consumer.amend(fetched);
    const subscription = this.#host.subscription(fetched.type);
    const lane = laneKey(subscription, fetched);
    const alone = record !== undefined && this.#runsAlone(arrival, lane);
    const unit = this.#unit;
    if (unit !== undefined && (alone || unit.isFull(partition))) {
      unit.sealed = true;
      return false;
    }
    if (alone) {
      this.#culprits.delete(placeOf(fetched));
      this.#host.dispatch(arrival, record);
      return true;
    }
    const into = unit ?? this.#begin(fetched);
    into.take(arrival, this.#consumer.host.engine.store.inbox !== undefined);
    if (record === undefined) return true;
    places.push(arrival);
    events.push(received(record, subscription, places.length - 1));
    into.lanes.add(lane);
    into.ids?.push(record.id);
    return true;
  }

  /** Something is known against it, or its lane has something to do. */
  #runsAlone({ partition, record }: Arrival, lane: string): boolean {
    const { lanes, alone } = this.#host;
    if (isLate(record, this.#consumer.host.engine.store.inbox)) return true;
    if (alone.active || this.#consumer.circuit.open !== undefined || record.offset < partition.aloneUntil) return true;
    if (this.#culprits.size > 0 && this.#culprits.has(placeOf(record))) return true;
    return lanes.find(lane) !== undefined;
  }

  #begin(record: LogRecord): BulkUnit {
    const { plan, host } = this.#consumer;
    const context = new HandlerContext(this.#host.contextHost, record, 1, nothing, 1);
    if (plan.batch === undefined) throw new Error(`${plan.name} handles no batches`);
    const unit = new BulkUnit(context, plan.batch, host.clock.monotonic());
    if (handledSignal.active) unit.ids = [];
    this.#unit = unit;
    this.#host.load.hold();
    return unit;
  }

  #handle(unit: BulkUnit, events: readonly Received<string, unknown>[], places: readonly Arrival[]): void {
    try {
      const folding = unit.work.handle(events);
      this.#turns.folded();
      if (!(folding instanceof Promise)) return;
      this.#busy = true;
      folding.then(
        () => {
          this.#busy = false;
          if (this.#waiting.length > 0) this.#turns.ended();
          this.#consumer.wake();
        },
        (error) => this.#failed(error, places),
      );
    } catch (error) {
      this.#failed(error, places);
    }
  }

  #commit(unit: BulkUnit): void {
    this.#busy = true;
    const add = () => {
      unit.context.close();
      this.#consumer.host.committer.add(unit.pending((outcome) => this.#settled(unit, outcome)));
    };
    try {
      unit.work.finish();
      if (unit.context.declaring.length === 0) add();
      else unit.context.declared().then(add, (error) => this.#failed(error, []));
    } catch (error) {
      this.#failed(error, []);
    }
  }

  #settled(unit: BulkUnit, outcome: Outcome): void {
    if (this.#unit !== unit) return;
    switch (outcome.type) {
      case "committed":
      case "already":
        this.#stored(unit, outcome);
        return;
      case "reload":
        this.#reload(unit);
        return;
      case "fenced":
        this.#again(unit, false);
        this.#consumer.leaseLost();
        return;
      default:
        // Who is to blame, or stands behind an entry, shows when each runs alone.
        this.#again(unit, true);
    }
  }

  #stored(unit: BulkUnit, outcome: Outcome): void {
    const { plan } = this.#consumer;
    if (outcome.type === "committed") this.#pace.stored(outcome.commit);
    for (const event of unit.ids ?? [])
      handledSignal.publish({ consumer: plan.name, event, attempt: 1, outcome: outcome.type });
    unit.done();
    this.#end();
    this.#consumer.progressed();
    this.#consumer.wake();
  }

  /** What it read has changed: the same events again, on what is stored now. */
  #reload(unit: BulkUnit): void {
    const waitMs = this.#pace.reloadMs();
    if (waitMs > 0) this.#turns.wait(waitMs * (0.5 + this.#consumer.host.jitter()));
    this.#again(unit, false);
  }

  /** Who is to blame runs alone; without a name, everybody does. */
  #failed(error: unknown, places: readonly Arrival[]): void {
    const culprit = error instanceof BatchRefused ? places[error.at] : undefined;
    if (culprit !== undefined) this.#culprits.add(placeOf(culprit.record));
    if (this.#unit !== undefined) this.#again(this.#unit, culprit === undefined);
  }

  /** Nothing of the unit is stored: all since where it began is read again. */
  #again(unit: BulkUnit, alone: boolean): void {
    unit.context.close();
    unit.undone(alone);
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const arrival of waiting) {
      this.#arrived(arrival);
      arrival.partition.rewind(arrival.partition.claimed);
    }
    this.#end();
    this.#consumer.feeds.readAgain();
    // A partition that others wait for has nothing of it under way any more.
    if (unit.left) this.#consumer.progressed();
    this.#consumer.wake();
  }

  #end(): void {
    this.#unit = undefined;
    this.#busy = false;
    this.#turns.ended();
    this.#host.load.letGo();
  }

  #arrived({ partition, bytes }: Arrival): void {
    partition.arrived -= 1;
    this.#host.load.memory.give(bytes);
  }
}

function received(record: LogRecord, subscription: Subscription, at: number): Received<string, unknown> {
  try {
    return receive(record, subscription);
  } catch (error) {
    throw new BatchRefused(at, error);
  }
}

function placeOf({ topic, partition, offset }: LogRecord): string {
  return `${topic}/${partition}/${offset}`;
}
