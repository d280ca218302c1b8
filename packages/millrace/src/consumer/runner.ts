import type { Failure } from "../failure/failure.js";
import type { LogRecord } from "../log/log.js";
import type { LaneHead } from "../store/store.js";
import type { Effects, LaneEntry, Position } from "../store/unit.js";
import { type Alone, isSuspect } from "./alone.js";
import type { Circuit } from "./circuit.js";
import { commandEffects } from "./command-result.js";
import { type ContextHost, HandlerContext } from "./context.js";
import type { FailedRuns } from "./failed-runs.js";
import { invoke } from "./invoke.js";
import type { Lane } from "./lane.js";
import type { Lanes } from "./lanes.js";
import { isLate, lateCopy } from "./late.js";
import type { Leaving } from "./leaving.js";
import type { Load } from "./load.js";
import type { ConsumerPlan } from "./plan.js";
import { receive } from "./received.js";
import { noHandler, Run, type RunOwner } from "./run.js";
import type { Slot } from "./slot.js";
import type { Slots } from "./slots.js";
import type { SlowHandlers } from "./slow-handlers.js";

/** So many runs of a consumer are under way at the most, with those on their way to disk. */
export const inFlightMax = 1000;

/** What a runner needs of the runs it starts. */
export interface RunnerHost {
  readonly plan: ConsumerPlan;
  readonly context: ContextHost;
  readonly owner: RunOwner;
  readonly load: Load;
  readonly lanes: Lanes;
  readonly slots: Slots;
  readonly circuit: Circuit;
  readonly alone: Alone;
  readonly slow: SlowHandlers;
  readonly failures: FailedRuns;
  readonly leaving: Leaving;
  /** The position of a home of lanes; undefined when another process has it. */
  homeAt(home: number): Position | undefined;
  /** The record as operators have amended it by now; undefined when they skipped it. */
  amend(record: LogRecord): LogRecord | undefined;
  commit(run: Run, effects: Effects): void;
  /** A handler has ended. */
  ended(): void;
  wake(): void;
  stop(error: unknown): void;
}

/** Gives a lane's head to its handler when there is a place, and the handler's end to the commit. */
export class Runner {
  readonly #host: RunnerHost;

  constructor(host: RunnerHost) {
    this.#host = host;
  }

  /** Starts the lanes whose turn it is, as far as there are places. */
  startReady(): void {
    do this.#startRound();
    while (this.#mayStart && this.#host.slots.offer());
  }

  get #mayStart(): boolean {
    const { plan, load, circuit, alone } = this.#host;
    const places = alone.active ? 1 : inFlightMax;
    return load.inFlight < places && load.watch.size < plan.concurrency && circuit.permits;
  }

  /** Nothing more is to be read from the store until something ends. */
  get #crowded(): boolean {
    const { inFlight, memory } = this.#host.load;
    return inFlight > 0 && memory.room() === 0;
  }

  #startRound(): void {
    const { lanes, alone, leaving } = this.#host;
    // Those that get their turn meanwhile are the next round's.
    for (let left = lanes.readyCount; left > 0 && this.#mayStart; left -= 1) {
      const lane = lanes.next() as Lane;
      if (alone.active && alone.defers(lane.key)) {
        lanes.enqueue(lane);
        continue;
      }
      if (lane.running !== undefined || lane.timer !== undefined || lane.asking) continue;
      if (lane.first?.partition?.left === true) leaving.drop(lane);
      if (lane.head !== undefined && this.#crowded) lanes.enqueue(lane);
      else if (lane.head !== undefined) this.#startEntry(lane, lane.head);
      else if (lane.joining === 0 && lane.first !== undefined) this.#start(lane, lane.first);
    }
  }

  /** Its time is up: that is its end, whatever the handler still does. */
  timedOut(run: Run, failure: Failure): void {
    this.#handled(run, run.context, undefined, failure, true);
  }

  #startEntry(lane: Lane, head: LaneHead): void {
    const { plan, owner, slots, lanes, alone, context, homeAt, stop } = this.#host;
    const answer = context.store.readEntry(head.entry);
    const start = (entry: LaneEntry | undefined) => {
      if (entry === undefined || entry.state === "dead") return void lanes.refresh(lane);
      const slot = slots.of(entry.record.type);
      if (slot === undefined) {
        context.logger.warn(...noHandler(plan.name, entry));
        return;
      }
      const position = homeAt(entry.home);
      if (position === undefined) return void lanes.refresh(lane);
      if (!alone.active && isSuspect(entry) && alone.suspect(lane.key, entry.entry)) return lanes.enqueue(lane);
      this.#start(lane, Run.ofEntry(owner, lane, slot.subscription, { entry, position }));
    };
    if (answer instanceof Promise) this.#asked(lane, head, answer).then(start, stop);
    else start(answer);
  }

  /** A store elsewhere says what the lane's head is. What became of the lane meanwhile counts more than what it was asked for. */
  async #asked(lane: Lane, head: LaneHead, answer: Promise<LaneEntry | undefined>): Promise<LaneEntry | undefined> {
    lane.asking = true;
    try {
      const entry = await answer;
      const same = lane.running === undefined && lane.timer === undefined && lane.head?.entry === head.entry;
      return same ? entry : undefined;
    } finally {
      lane.asking = false;
    }
  }

  #start(lane: Lane, run: Run): void {
    const { slots, load, alone } = this.#host;
    const slot = slots.of(run.record.type) as Slot;
    if (!slot.admits(lane, run)) return;
    load.occupy(run);
    if (!alone.active) {
      this.#invoke(run);
      return;
    }
    // The place is the handler's: should the announcement be refused, none is taken.
    slot.running -= 1;
    alone.announce(run, () => {
      slot.running += 1;
      this.#invoke(run);
    });
  }

  #invoke(run: Run): void {
    const { subscription, attempt } = run;
    const amended = this.#host.amend(run.record);
    const record = amended ?? run.record;
    run.record = record;
    if (run.partition?.remote === true) run.keep();
    const { context: contextHost, slow, load } = this.#host;
    const context = new HandlerContext(contextHost, record, run.generation, subscription.emits, attempt);
    run.context = context;
    run.startedAt = contextHost.clock.monotonic();
    slow.watch(run);
    load.watch.add(run);
    const { inbox } = contextHost.store;
    const handle = () => {
      // An operator who redrives it has looked.
      if (inbox !== undefined && run.redrives === 0 && isLate(record, inbox)) throw lateCopy(record, inbox);
      return subscription.handler(receive(record, subscription), context);
    };
    invoke(
      () => amended && handle(),
      (value, error, failed) => this.#handled(run, context, value, error, failed),
    );
  }

  /** The handler returned or threw. A late end, of a run that was given up, changes nothing. */
  #handled(run: Run, context: HandlerContext | undefined, value: unknown, error: unknown, failed: boolean): void {
    if (context === undefined || run.context !== context) return;
    const { load, lanes, slots, alone } = this.#host;
    context.close();
    run.context = undefined;
    load.watch.delete(run);
    alone.ended(run);
    this.#host.ended();
    slots.ended(slots.of(run.record.type) as Slot);
    if (lanes.readyCount > 0) this.#host.wake();
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
    const { circuit, failures, commit, stop } = this.#host;
    try {
      if (!failed) circuit.succeeded(run);
      if (failed) failures.failed(run, error);
      else if (context.declaring.length > 0) this.#declared(run, context, value);
      else if (run.subscription.contract.kind === "command") commit(run, commandEffects(context, value));
      else commit(run, context.effects);
    } catch (broken) {
      stop(broken);
    }
  }
}
