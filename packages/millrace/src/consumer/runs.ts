import type { Change } from "../engine/engine.js";
import type { LogRecord } from "../log/log.js";
import { partitionOf } from "../log/murmur2.js";
import type { Effects, EntryChange, Position } from "../store/unit.js";
import { Alone } from "./alone.js";
import { Bulk } from "./bulk.js";
import type { Circuit } from "./circuit.js";
import { supersede } from "./coalesce.js";
import type { ContextHost } from "./context.js";
import { DocumentTypes } from "./document-types.js";
import { Draining } from "./draining.js";
import { FailedRuns } from "./failed-runs.js";
import type { PartitionFeed } from "./feed.js";
import type { Fetcher } from "./fetcher.js";
import { type Lane, laneKey } from "./lane.js";
import { Lanes } from "./lanes.js";
import { Leaving } from "./leaving.js";
import { Load } from "./load.js";
import { type ConsumerHost, type ConsumerPlan, Seeds } from "./plan.js";
import { Run } from "./run.js";
import { inFlightMax, Runner } from "./runner.js";
import { Settlement } from "./settlement.js";
import type { Slot } from "./slot.js";
import { Slots } from "./slots.js";
import { SlowHandlers } from "./slow-handlers.js";

const queuedMax = 10_000;

/** What the runs need of their consumer. */
export interface RunsHost {
  readonly plan: ConsumerPlan;
  readonly host: ConsumerHost;
  readonly circuit: Circuit;
  wake(): void;
  /** No run has a place any more. */
  emptied(): void;
  /** Something was committed. */
  progressed(): void;
  /** Its topics as they are read, and the homes of its lanes there. */
  readonly feeds: Pick<Fetcher, "homes" | "homeAt" | "atEnd" | "readAgain">;
  /** A lease is not this process's any more. */
  leaseLost(): void;
  stop(error: unknown): void;
  /** The record as operators have amended it by now; undefined when they skipped it. */
  amend(record: LogRecord): LogRecord | undefined;
  /** Looks again at what operators have changed. */
  amended(): Promise<void>;
  /** What of a run's effects is stored. */
  heard(record: LogRecord, effects: Effects): Effects;
}

/**
 * The runs of one consumer, from dispatch to acknowledgement: a lane's head to its handler ({@link Runner}), its effects to
 * the commit, and what comes of that ({@link Settlement}).
 */
export class Runs {
  readonly lanes: Lanes;
  readonly alone: Alone;
  readonly load: Load;
  readonly leaving: Leaving;
  readonly #plan: ConsumerPlan;
  readonly #host: ConsumerHost;
  readonly #consumer: RunsHost;
  readonly #slots: Slots;
  readonly #failures: FailedRuns;
  readonly #settlement: Settlement;
  readonly #runner: Runner;
  readonly #draining: Draining;
  readonly #bulk: Bulk | undefined;

  constructor(consumer: RunsHost) {
    const { plan, host, circuit } = consumer;
    const { engine, clock, slowRuns } = host;
    this.#consumer = consumer;
    this.#plan = plan;
    this.#host = host;
    const wake = () => consumer.wake();
    const stop = (error: unknown) => consumer.stop(error);
    const commit = this.#commit.bind(this);
    const memory = host.memory.share(wake);
    const emptied = () => consumer.emptied();
    this.load = new Load({ clock, memory, circuit, slowRuns, emptied, overdue: (run) => slow.overdue(run) });
    const shared = { consumer: plan.name, store: engine.store, clock, commit, stop };
    const failures = new FailedRuns({
      ...shared,
      jitter: host.jitter,
      circuit,
      homeOf: (lane) => this.#homeOf(lane.key),
      release: (run) => this.load.release(run),
      again: (lane, waitMs) => this.#again(lane, waitMs),
    });
    const moving = {
      ...shared,
      entryOf: (run: Run, change: EntryChange) => failures.entryOf(run, change),
      mayMove: ({ lane }: Run) => this.#positionOf(lane.key) !== undefined,
      left: (run: Run) => this.leaving.becameEntry(run),
    };
    const slow = new SlowHandlers({
      ...moving,
      timedOut: (run, failure) => this.#runner.timedOut(run, failure),
      join: (lane) => this.lanes.join(lane),
    });
    this.#failures = failures;
    this.alone = new Alone({ ...moving, committer: host.committer });
    this.lanes = new Lanes({
      ...shared,
      runsEntries: (lane) => this.#positionOf(lane) !== undefined,
      join: (run) => this.#join(run),
      wake,
    });
    this.#slots = new Slots(plan, { clock, lanes: this.lanes, wake });
    const { lanes, load, alone } = this;
    const slots = this.#slots;
    const homeOf = (lane: Lane) => this.#positionOf(lane.key);
    this.leaving = new Leaving({ consumer: plan.name, load, lanes, slots, homeOf });
    const parts = { load, lanes, leaving: this.leaving, failures, slow, wake, stop };
    this.#settlement = new Settlement({ ...parts, of: consumer });
    const context = this.#context();
    this.#draining = new Draining(plan.name, clock, load.watch);
    this.#bulk = plan.batch && this.#bulkOf(context);
    this.#runner = new Runner({
      ...parts,
      plan,
      slots,
      circuit,
      alone,
      commit,
      owner: this.#settlement,
      amend: (record) => consumer.amend(record),
      homeAt: (home) => consumer.feeds.homeAt(home % consumer.feeds.homes),
      context,
      ended: () => this.#draining.ended(),
    });
  }

  #bulkOf(contextHost: ContextHost): Bulk {
    const { lanes, alone, load } = this;
    return new Bulk(this.#consumer, {
      ...{ contextHost, lanes, alone, load },
      subscription: (type) => (this.#slots.of(type) as Slot).subscription,
      dispatch: ({ partition, record, bytes }, to) => this.#begin(this.#dispatch(partition, to, bytes), record),
    });
  }

  /** What the handlers' contexts share. */
  #context(): ContextHost {
    const { name: consumer, service } = this.#plan;
    const { engine, routes, clock, logger } = this.#host;
    const { store } = engine;
    const [seeds, documentTypes] = [new Seeds(consumer), new DocumentTypes(store, service)];
    return { consumer, service, routes, seeds, store, clock, logger, documentTypes };
  }

  get resting(): boolean {
    return this.load.inFlight === 0 && this.queued === 0 && this.lanes.resting;
  }
  /** Events that were fetched and are not finished, beside those that are lane entries. */
  get queued(): number {
    return this.load.queued + (this.#bulk?.events ?? 0);
  }
  /**
   * More may be fetched: few lanes wait for their turn or for the commit. What stands behind a handler at work, or waits for
   * a place of its own subscription, must not hold up the other keys: only memory bounds it.
   */
  get hungry(): boolean {
    const { inFlight, queued, watch, memory } = this.load;
    const ahead = this.lanes.readyCount + inFlight - watch.size;
    if (ahead >= this.#slots.aheadMax || this.#slots.full || this.#bulk?.hungry === false) return false;
    return inFlight < inFlightMax && queued < queuedMax && memory.room() > 0;
  }

  /** Lanes that wait for their time make room, when that is why nothing more can be fetched. */
  relieve(full: () => boolean): void {
    const { queued, memory } = this.load;
    if (this.#slots.timed) this.#slots.relieve(queued >= queuedMax || memory.room() === 0, full);
  }

  /** Loads the lanes that have entries. */
  async open(): Promise<void> {
    for (const head of await this.#host.engine.store.readLaneHeads(this.#plan.name)) {
      const lane = this.lanes.of(head.lane);
      if (lane.running === undefined) this.lanes.setHead(lane, head);
    }
  }

  /** Looks again at the lanes of this consumer that another process changed. */
  async lanesChanged(changed: NonNullable<Change["lanes"]>): Promise<void> {
    if (changed !== "all") {
      for (const { consumer, lane } of changed) if (consumer === this.#plan.name) this.lanes.changed(lane);
      return;
    }
    for (const lane of this.lanes) void this.lanes.refresh(lane);
    await this.open();
  }

  /** Takes an event that was fetched, if it is heard and was not done before. */
  take(partition: PartitionFeed, record: LogRecord, bytes: number): void {
    if (this.#slots.of(record.type) === undefined || partition.isFinished(record.offset)) return;
    if (this.#bulk !== undefined) {
      this.#bulk.take(partition, record, bytes);
      return;
    }
    const amended = this.#consumer.amend(record);
    if (amended !== undefined) this.#begin(this.#dispatch(partition, amended, bytes), record);
  }

  /** Its claim is whole before its lane may act on it: in a lane that is held it is on its way to disk at once. */
  #begin(run: Run, record: LogRecord): void {
    run.names(record, this.#host.engine.store);
    this.lanes.advance(run.lane);
  }

  /** Puts an event into its lane, and returns the run that will handle it. Its claim covers what passed by before it. */
  #dispatch(partition: PartitionFeed, record: LogRecord, bytes: number): Run {
    const { subscription } = this.#slots.of(record.type) as Slot;
    const { memory } = this.load;
    memory.take(bytes);
    const lane = this.lanes.of(laneKey(subscription, record));
    if (subscription.flow?.coalesces && supersede(lane, record, { partition, subscription, bytes, memory }))
      return lane.last as Run;
    const claim = {
      type: "record" as const,
      position: partition.position,
      start: partition.claimed,
      offset: record.offset,
    };
    const run = new Run(this.#settlement, lane, subscription, record, record.appended, claim, 1, 0);
    run.sequence = partition.dispatched;
    partition.dispatched += 1;
    partition.claimed = record.offset + 1;
    partition.outstanding.add(run);
    run.partition = partition;
    run.bytes = bytes;
    lane.push(run);
    this.load.queued += 1;
    return run;
  }

  /** Starts the lanes whose turn it is, as far as there are places. `more`: more events are on their way. */
  startReady(more: boolean): void {
    this.#bulk?.work(more);
    this.#runner.startReady();
  }

  /** Nothing starts for now. */
  pause(): void {
    this.#bulk?.pause();
  }

  /** Resolves when the runs under way have ended, or were aborted after `drainMs`. */
  async drain(drainMs: number): Promise<void> {
    await this.#draining.over(drainMs);
    this.#bulk?.close();
    this.load.watch.close();
    this.alone.close();
    this.#slots.close();
    this.lanes.close();
  }

  #join(run: Run): void {
    this.load.queued -= 1;
    if (run.partition?.left === true) {
      this.load.forget(run);
      run.lane.joining -= 1;
      return;
    }
    // It may have run before its lane was held; what it read then does not matter any more.
    run.forgetReads();
    const due = this.#host.clock.now();
    this.#commit(run, {
      entry: this.#failures.entryOf(run, { state: "following", due, attempt: 0, holds: true, failure: undefined }),
    });
  }

  #commit(run: Run, effects: Effects): void {
    run.commits(this.#consumer.heard(run.record, effects));
    this.#host.committer.add(run);
  }

  #homeOf(lane: string): number {
    return partitionOf(lane, Math.max(1, this.#consumer.feeds.homes));
  }

  /** The position under whose epoch the lane's entries run; undefined when another process has it. */
  #positionOf(lane: string): Position | undefined {
    return this.#consumer.feeds.homeAt(this.#homeOf(lane));
  }

  #again(lane: Lane, waitMs: number): void {
    if (waitMs > 0) {
      this.lanes.after(lane, waitMs);
      return;
    }
    this.lanes.enqueue(lane);
    this.#consumer.wake();
  }
}
