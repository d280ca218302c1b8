import type { Change } from "../engine/engine.js";
import { Failure } from "../failure/failure.js";
import type { LogRecord } from "../log/log.js";
import { partitionOf } from "../log/murmur2.js";
import { signal } from "../runtime/signals.js";
import type { LaneHead } from "../store/store.js";
import type { Effects, EntryChange, LaneEntry, Outcome, Position } from "../store/unit.js";
import { Alone } from "./alone.js";
import { Batches } from "./batches.js";
import type { Circuit } from "./circuit.js";
import { supersede, tellCoalesced } from "./coalesce.js";
import { commandEffects } from "./command-result.js";
import { type ContextHost, HandlerContext } from "./context.js";
import { DocumentTypes } from "./document-types.js";
import { Draining } from "./draining.js";
import { FailedRuns } from "./failed-runs.js";
import type { PartitionFeed } from "./feed.js";
import { invoke } from "./invoke.js";
import type { Lane } from "./lane.js";
import { Lanes } from "./lanes.js";
import type { MemoryShare } from "./memory.js";
import { type ConsumerHost, type ConsumerPlan, Seeds } from "./plan.js";
import { receive } from "./received.js";
import { handledFields, noHandler, Run, type RunOwner } from "./run.js";
import type { Slot } from "./slot.js";
import { Slots } from "./slots.js";
import { SlowHandlers } from "./slow-handlers.js";
import { Watch } from "./watch.js";

const inFlightMax = 1000;
const queuedMax = 10_000;

const handledSignal = signal("handled");

/** What the runs need of their consumer. */
export interface RunsHost {
  readonly plan: ConsumerPlan;
  readonly host: ConsumerHost;
  readonly circuit: Circuit;
  wake(): void;
  /** Something was committed. */
  progressed(): void;
  /** How many homes lanes have, and the position of one; undefined when another process has it. */
  readonly homes: number;
  homeAt(home: number): Position | undefined;
  /** A lease is not this process's any more. */
  leaseLost(): void;
  stop(error: unknown): void;
  /** What of a run's effects is stored. */
  heard(record: LogRecord, effects: Effects): Effects;
}

/** The runs of one consumer, from dispatch to acknowledgement: a lane's head to its handler, its effects to the commit. */
export class Runs implements RunOwner {
  readonly lanes: Lanes;
  readonly alone: Alone;
  readonly #plan: ConsumerPlan;
  readonly #host: ConsumerHost;
  readonly #consumer: RunsHost;
  readonly #contextHost: ContextHost;
  readonly #slots: Slots;
  readonly watch: Watch;
  readonly #failures: FailedRuns;
  readonly #slow: SlowHandlers;
  readonly #draining: Draining;
  readonly #batches: Batches;
  readonly memory: MemoryShare;
  /** Events that were finished by the run of a newer one. */
  coalesced = 0;
  #inFlight = 0;
  #queued = 0;

  constructor(consumer: RunsHost) {
    const { plan, host } = consumer;
    const { engine, clock } = host;
    this.#consumer = consumer;
    this.#plan = plan;
    this.#host = host;
    this.memory = host.memory.share(() => consumer.wake());
    this.watch = new Watch(clock, (run) => this.#slow.overdue(run), host.slowRuns);
    this.#draining = new Draining(plan.name, clock, this.watch);
    const [commit, stop] = [this.#commit.bind(this), (error: unknown) => consumer.stop(error)];
    const shared = { consumer: plan.name, store: engine.store, clock, commit, stop };
    this.#failures = new FailedRuns({
      ...shared,
      jitter: host.jitter,
      circuit: consumer.circuit,
      homeOf: (lane) => this.#homeOf(lane.key),
      release: (run) => this.#release(run),
      again: (lane, waitMs) => this.#again(lane, waitMs),
    });
    const moving = {
      ...shared,
      entryOf: (run: Run, change: EntryChange) => this.#failures.entryOf(run, change),
      mayMove: (run: Run) => consumer.homeAt(this.#homeOf(run.lane.key)) !== undefined,
      left: (run: Run) => this.#left(run),
    };
    this.#slow = new SlowHandlers({
      ...moving,
      timedOut: (run, failure) => this.#handled(run, run.context, undefined, failure, true),
      join: (lane) => this.lanes.join(lane),
    });
    this.alone = new Alone({ ...moving, committer: host.committer });
    this.lanes = new Lanes({
      ...shared,
      runsEntries: (lane) => consumer.homeAt(this.#homeOf(lane)) !== undefined,
      join: (run) => this.#join(run),
      wake: () => consumer.wake(),
    });
    this.#slots = new Slots(plan, { clock, lanes: this.lanes, wake: () => consumer.wake() });
    this.#contextHost = {
      consumer: plan.name,
      service: plan.service,
      routes: host.routes,
      seeds: new Seeds(plan.name),
      store: engine.store,
      clock,
      logger: host.logger,
      documentTypes: new DocumentTypes(engine.store, plan.service),
    };
    const ours = { contextHost: this.#contextHost, lanes: this.lanes, alone: this.alone };
    const started = (run: Run) => this.#began(run);
    const ended = (run: Run) => this.#release(run);
    this.#batches = new Batches(consumer, { ...ours, started, ended, done: (run) => this.#drop([run]) });
  }

  get inFlight(): number {
    return this.#inFlight;
  }
  get queued(): number {
    return this.#queued;
  }
  get resting(): boolean {
    return this.#inFlight === 0 && this.#queued === 0 && this.lanes.resting;
  }
  /**
   * More may be fetched: few lanes wait for their turn or for the commit. What stands behind a handler at work, or waits for
   * a place of its own subscription, must not hold up the other keys: only memory bounds it.
   */
  get hungry(): boolean {
    const ahead = this.lanes.readyCount + this.#inFlight - this.watch.size;
    if (ahead >= this.#slots.aheadMax || this.#slots.full) return false;
    return this.#inFlight < inFlightMax && this.#queued < queuedMax && this.memory.room() > 0;
  }

  /** Lanes that wait for their time make room, when that is why nothing more can be fetched. */
  relieve(full: () => boolean): void {
    if (this.#slots.timed) this.#slots.relieve(this.#queued >= queuedMax || this.memory.room() === 0, full);
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

  hears(type: string): boolean {
    return this.#slots.of(type) !== undefined;
  }

  /** Puts an event into its lane. Its claim covers what passed by before it. */
  dispatch(partition: PartitionFeed, record: LogRecord, bytes: number): void {
    const { subscription } = this.#slots.of(record.type) as Slot;
    this.memory.take(bytes);
    const lane = this.lanes.of(`${subscription.keyName}:${record.key}`);
    const { memory } = this;
    if (subscription.flow?.coalesces && supersede(lane, record, { partition, subscription, bytes, memory })) return;
    const claim = {
      type: "record" as const,
      position: partition.position,
      start: partition.claimed,
      offset: record.offset,
    };
    const run = new Run(this, lane, subscription, record, record.appended, claim, 1, 0);
    run.sequence = partition.dispatched;
    partition.dispatched += 1;
    partition.claimed = record.offset + 1;
    partition.outstanding.add(run);
    run.partition = partition;
    run.bytes = bytes;
    lane.push(run);
    this.#queued += 1;
    this.lanes.advance(lane);
  }

  /** Resolves when the runs under way have ended, or were aborted after `drainMs`. */
  async drain(drainMs: number): Promise<void> {
    await this.#draining.over(drainMs);
    this.#batches.close();
    this.watch.close();
    this.alone.close();
    this.#slots.close();
    this.lanes.close();
  }

  #join(run: Run): void {
    this.#queued -= 1;
    if (run.partition?.left === true) {
      this.#forget(run);
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

  /** Starts the lanes whose turn it is, as far as there are places. */
  startReady(): void {
    this.#batches.start();
    do this.#startRound();
    while (this.#mayStart && this.#slots.offer());
  }

  get #mayStart(): boolean {
    const places = this.alone.active ? 1 : inFlightMax;
    return this.#inFlight < places && this.watch.size < this.#plan.concurrency && this.#consumer.circuit.permits;
  }

  #startRound(): void {
    // Those that get their turn meanwhile are the next round's.
    for (let left = this.lanes.readyCount; left > 0 && this.#mayStart; left -= 1) {
      const lane = this.lanes.next() as Lane;
      if (this.alone.active && this.alone.defers(lane.key)) {
        this.lanes.enqueue(lane);
        continue;
      }
      if (lane.running !== undefined || lane.timer !== undefined) continue;
      if (lane.first?.partition?.left === true) this.dropLeft(lane);
      if (lane.head !== undefined) this.#startEntry(lane, lane.head);
      else if (lane.joining === 0 && lane.first !== undefined) this.#startRun(lane, lane.first);
    }
  }

  #startEntry(lane: Lane, head: LaneHead): void {
    const answer = this.#host.engine.store.readEntry(head.entry);
    const start = (entry: LaneEntry | undefined) => {
      if (entry === undefined || entry.state === "dead") return void this.lanes.refresh(lane);
      const slot = this.#slots.of(entry.record.type);
      if (slot === undefined) {
        this.#host.logger.warn(...noHandler(this.#plan.name, entry));
        return;
      }
      const position = this.#consumer.homeAt(entry.home % this.#consumer.homes);
      if (position === undefined) return void this.lanes.refresh(lane);
      this.#startRun(lane, Run.ofEntry(this, lane, slot.subscription, { entry, position }));
    };
    if (answer instanceof Promise) answer.then(start, (error) => this.#consumer.stop(error));
    else start(answer);
  }

  #startRun(lane: Lane, run: Run): void {
    const slot = this.#slots.of(run.record.type) as Slot;
    if (!slot.admits(lane, run)) return;
    this.#began(run);
    if (!this.alone.active) {
      this.#invoke(run);
      return;
    }
    // The place is the handler's: should the announcement be refused, none is taken.
    slot.running -= 1;
    this.alone.announce(run, () => {
      slot.running += 1;
      this.#invoke(run);
    });
  }

  #invoke(run: Run): void {
    const { record, subscription, attempt } = run;
    const context = new HandlerContext(this.#contextHost, record, run.generation, subscription.emits, attempt);
    run.context = context;
    run.startedAt = this.#host.clock.monotonic();
    this.#slow.watch(run);
    this.watch.add(run);
    invoke(
      () => subscription.handler(receive(record, subscription), context),
      (value, error, failed) => this.#handled(run, context, value, error, failed),
    );
  }

  /** The handler returned or threw. A late end, of a run that was given up, changes nothing. */
  #handled(run: Run, context: HandlerContext | undefined, value: unknown, error: unknown, failed: boolean): void {
    if (context === undefined || run.context !== context) return;
    context.close();
    run.context = undefined;
    this.watch.delete(run);
    this.alone.ended(run);
    this.#draining.ended();
    this.#slots.ended(this.#slots.of(run.record.type) as Slot);
    if (this.lanes.readyCount > 0) this.#consumer.wake();
    run.ran(context);
    if (run.moving) run.afterMove = () => this.#finish(run, context, value, error, failed);
    else this.#finish(run, context, value, error, failed);
  }

  /** A remote store must know the types of the documents before they are stored. */
  #declared(run: Run, context: HandlerContext, value: unknown): void {
    context.declared().then(
      () => this.#finish(run, context, value, undefined, false),
      (error) => this.#finish(run, context, undefined, error, true),
    );
  }

  /** An error of the engine in here is nobody's to catch: it halts the consumer, not the process. */
  #finish(run: Run, context: HandlerContext, value: unknown, error: unknown, failed: boolean): void {
    try {
      if (!failed) this.#consumer.circuit.succeeded(run);
      if (failed) this.#failures.failed(run, error);
      else if (context.declaring.length > 0) this.#declared(run, context, value);
      else if (run.subscription.contract.kind === "command")
        this.#commit(run, commandEffects(run.record, context.effects, value));
      else this.#commit(run, context.effects);
    } catch (broken) {
      this.#consumer.stop(broken);
    }
  }

  #commit(run: Run, effects: Effects): void {
    run.commits(this.#consumer.heard(run.record, effects));
    this.#host.committer.add(run);
  }

  #homeOf(lane: string): number {
    return partitionOf(lane, Math.max(1, this.#consumer.homes));
  }

  #again(lane: Lane, waitMs: number): void {
    if (waitMs > 0) {
      this.lanes.after(lane, waitMs);
      return;
    }
    this.lanes.enqueue(lane);
    this.#consumer.wake();
  }

  #began(run: Run): void {
    run.lane.running = run;
    this.#inFlight += 1;
    this.#consumer.circuit.started(run);
  }

  /** The run gives its place back; its event stays at the head of its lane. */
  #release(run: Run): void {
    if (run.lane.running !== run) return;
    run.lane.running = undefined;
    this.#inFlight -= 1;
    this.#consumer.circuit.ended(run);
  }

  /** Takes what has not begun, of partitions that were left, out of a lane: it runs where the lease is. */
  dropLeft(lane: Lane): void {
    const dropped = lane.drop((run) => run !== lane.running && run.partition?.left === true);
    this.#drop(dropped);
    lane.away = lane.head !== undefined && this.#consumer.homeAt(this.#homeOf(lane.key)) === undefined;
    if (lane.away || dropped.length > 0) {
      lane.timer?.();
      lane.timer = undefined;
    }
    this.lanes.advance(lane);
  }

  /** They have left their lanes' queues. */
  #drop(runs: readonly Run[]): void {
    this.#queued -= runs.length;
    for (const run of runs) this.#forget(run);
  }

  /** Its event is not one of those that were fetched and are unfinished any more. */
  #forget(run: Run): void {
    run.partition?.outstanding.delete(run);
    this.memory.give(run.bytes);
    run.bytes = 0;
  }

  /** Gives up a run whose lease is gone: what it does now cannot be committed. */
  leave(run: Run): void {
    const { lane, context } = run;
    run.gone = true;
    if (context !== undefined) {
      this.watch.delete(run);
      run.context = undefined;
      this.#slots.ended(this.#slots.of(run.record.type) as Slot);
      const reason = new Failure("FENCED", `${this.#plan.name}: another process has taken this event's partition over`);
      context.abort(reason);
      context.close();
    }
    if (run.partition !== undefined) run.partition.left = true;
    this.#release(run);
    this.#forget(run);
    this.dropLeft(lane);
  }

  settled(run: Run, outcome: Outcome): void {
    if (run.gone) return;
    try {
      this.#settle(run, outcome);
    } catch (broken) {
      this.#consumer.stop(broken);
    }
  }

  #settle(run: Run, outcome: Outcome): void {
    switch (outcome.type) {
      case "committed":
      case "already":
        if (run.moving) this.#slow.moved(run, outcome);
        else this.#acknowledged(run, outcome);
        break;
      case "reload":
        this.#failures.reload(run);
        break;
      case "held":
        if (run.moving) {
          // An operator gave the lane an older head meanwhile: this run ends where it is, and joins then.
          this.#slow.stays(run);
          break;
        }
        this.#release(run);
        void this.lanes.refresh(run.lane);
        break;
      case "fenced":
        if (run.unit.effects.entry?.state === "following") run.lane.joining -= 1;
        this.leave(run);
        this.#consumer.leaseLost();
        break;
      case "failed":
        if (run.moving) this.#slow.stays(run);
        // Not even its setting aside could be stored: losing the event would be worse than stalling.
        else if (run.lane.running !== run || run.setAside) this.#consumer.stop(outcome.error);
        else this.#failures.failed(run, outcome.error);
    }
  }

  #acknowledged(run: Run, outcome: Outcome): void {
    const { lane } = run;
    this.#consumer.progressed();
    this.#forget(run);
    lane.reloads = 0;
    const joined = run.unit.effects.entry?.state === "following";
    if (joined) lane.joining -= 1;
    else this.#release(run);
    if (run.claim.type === "record") {
      if (!joined) {
        lane.shift();
        this.#queued -= 1;
      }
    }
    this.coalesced += run.superseded;
    if (run.superseded > 0) tellCoalesced(this.#plan.name, run);
    if (handledSignal.active) handledSignal.publish(handledFields(this.#plan.name, run, outcome));
    // Without entries before and after, the lane's state is known; else the store says who is its head now.
    if (lane.head === undefined && run.unit.effects.entry === undefined && !run.parked && !lane.stale)
      this.lanes.advance(lane);
    else void this.lanes.refresh(lane);
    this.#consumer.wake();
  }

  /** The event has left its partition: it is a lane entry now. False when another process runs that. */
  #left(run: Run): boolean {
    this.#forget(run);
    run.partition = undefined; // What becomes of that does not concern it from now on.
    run.lane.shift();
    this.#queued -= 1;
    const position = this.#consumer.homeAt(this.#homeOf(run.lane.key));
    if (position === undefined) this.leave(run);
    else
      run.claim = { type: "lane-entry", position, entry: (run.lane.head as LaneHead).entry, attempt: run.attempt - 1 };
    return position !== undefined;
  }
}
