import type { Received } from "../contract/contract.js";
import type { LogRecord } from "../log/log.js";
import type { Cancel } from "../runtime/clock.js";
import { signal } from "../runtime/signals.js";
import type { ClaimedEvent, Outcome, Position, Range, RecordsPart, Unit } from "../store/unit.js";
import type { Alone } from "./alone.js";
import { type BatchHandler, BatchRefused } from "./batch.js";
import type { Pending } from "./committer.js";
import { type ContextHost, HandlerContext } from "./context.js";
import type { Lane } from "./lane.js";
import type { Lanes } from "./lanes.js";
import type { Load } from "./load.js";
import { receive } from "./received.js";
import { handledFields, type Run } from "./run.js";
import type { RunsHost } from "./runs.js";

const eventsMax = 2_000;
const bytesMax = 2 * 1024 * 1024;
const reloadMs = { first: 2, max: 200 };
/** Reads that changed meanwhile are read again at once so often, before the batch waits a moment. */
const reloadsAtOnce = 3;

const handledSignal = signal("handled");
const nothing: ReadonlySet<string> = new Set();

/** What batches need of the runs they are among. */
export interface BatchesHost {
  readonly contextHost: ContextHost;
  readonly lanes: Lanes;
  readonly alone: Alone;
  readonly load: Load;
}

/** The runs of one batch; `heads` has the first one of each lane. */
interface Batch {
  readonly runs: readonly Run[];
  readonly heads: readonly Run[];
  readonly context: HandlerContext;
}

/**
 * Many events in one unit of work: the waiting ones of all free lanes are handled together, each lane's in order, and
 * committed under one claim. Whatever is out of the ordinary is left to the runs: an event that fails, has failed before, or
 * whose lane is held runs alone, with the attempts, the lane entry and the dead letter that any handler's has.
 */
export class Batches {
  readonly #consumer: RunsHost;
  readonly #host: BatchesHost;
  #under: Batch | undefined;
  #reloads = 0;
  #cancel: Cancel | undefined;

  constructor(consumer: RunsHost, host: BatchesHost) {
    this.#consumer = consumer;
    this.#host = host;
  }

  /** Starts a batch of what waits; the lanes that it does not take keep their turn. */
  start(): void {
    const { plan, circuit } = this.#consumer;
    if (plan.batch === undefined || this.#under !== undefined || this.#cancel !== undefined) return;
    // Events that have to run one at a time are left to the runs.
    if (this.#host.alone.active || circuit.open !== undefined) return;
    const taken = this.#take();
    if (taken.runs.length === 0) return;
    for (const run of taken.heads) this.#host.load.occupy(run);
    void this.#run(taken, plan.batch);
  }

  /** The lane's next event belongs into a batch, if not into this one. */
  takes(lane: Lane): boolean {
    const { plan, circuit } = this.#consumer;
    return plan.batch !== undefined && !this.#host.alone.active && circuit.open === undefined && isFree(lane);
  }

  /** Nothing starts any more. */
  close(): void {
    this.#cancel?.();
  }

  #take(): Pick<Batch, "runs" | "heads"> {
    const { lanes } = this.#host;
    const runs: Run[] = [];
    const heads: Run[] = [];
    const left: Lane[] = [];
    let bytes = 0;
    for (let ready = lanes.readyCount; ready > 0 && runs.length < eventsMax && bytes < bytesMax; ready -= 1) {
      const lane = lanes.next() as Lane;
      if (!isFree(lane)) {
        left.push(lane);
        continue;
      }
      heads.push(lane.first as Run);
      for (let run = lane.first; run !== undefined && mayJoin(run) && runs.length < eventsMax; run = run.next) {
        runs.push(run);
        bytes += run.bytes;
      }
    }
    for (const lane of left) lanes.enqueue(lane);
    return { runs, heads };
  }

  async #run({ runs, heads }: Pick<Batch, "runs" | "heads">, handle: BatchHandler): Promise<void> {
    const { contextHost } = this.#host;
    const [first] = runs as readonly [Run];
    const context = new HandlerContext(contextHost, first.record, first.generation, nothing, 1);
    const batch: Batch = { runs, heads, context };
    this.#under = batch;
    try {
      await this.#handle(batch, handle);
      if (context.declaring.length > 0) await context.declared();
      context.close();
      this.#consumer.host.committer.add(new BatchPending(batch, (outcome) => this.#settled(batch, outcome)));
    } catch (error) {
      context.close();
      this.#failed(batch, error);
    }
  }

  /** What an operator has skipped meanwhile is finished with the others. */
  async #handle({ runs, context }: Batch, handle: BatchHandler): Promise<void> {
    const events: Received<string, unknown>[] = [];
    const places: number[] = [];
    for (const [at, run] of runs.entries()) {
      const record = this.#consumer.amend(run.record);
      if (record === undefined) continue;
      events.push(decoded(record, run, at));
      places.push(at);
    }
    try {
      await handle(events, context);
    } catch (error) {
      throw error instanceof BatchRefused ? new BatchRefused(places[error.at] as number, error.cause) : error;
    }
  }

  #settled(batch: Batch, outcome: Outcome): void {
    switch (outcome.type) {
      case "committed":
      case "already":
        this.#reloads = 0;
        if (handledSignal.active)
          for (const run of batch.runs) handledSignal.publish(handledFields(this.#consumer.plan.name, run, outcome));
        this.#consumer.progressed();
        for (const run of batch.runs) this.#finish(run);
        this.#release(batch);
        return;
      case "reload":
        this.#reload(batch);
        return;
      default:
        for (const run of batch.runs) run.solo = true;
        this.#release(batch);
    }
  }

  /** What it read has changed: the same events again, on what is stored now. */
  #reload(batch: Batch): void {
    this.#reloads += 1;
    const late = this.#reloads - reloadsAtOnce;
    if (late > 0) {
      const waitMs = Math.min(reloadMs.first * 2 ** late, reloadMs.max);
      const { clock, jitter } = this.#consumer.host;
      this.#cancel = clock.after(waitMs * (0.5 + jitter()), () => {
        this.#cancel = undefined;
        this.#consumer.wake();
      });
    }
    this.#release(batch);
  }

  #failed(batch: Batch, error: unknown): void {
    const culprit = error instanceof BatchRefused ? batch.runs[error.at] : undefined;
    // Who is to blame runs alone; without a name, everybody does.
    if (culprit !== undefined) culprit.solo = true;
    else for (const run of batch.runs) run.solo = true;
    this.#release(batch);
  }

  /** One that was dropped meanwhile, because its lease was lost, is not counted any more. */
  #finish(run: Run): void {
    const { lane } = run;
    if (lane.first !== run) return;
    lane.shift();
    lane.reloads = 0;
    this.#host.load.drop(run);
  }

  #release({ heads }: Batch): void {
    const { lanes } = this.#host;
    this.#under = undefined;
    for (const head of heads) {
      this.#host.load.release(head);
      if (head.lane.stale) void lanes.refresh(head.lane);
      else lanes.advance(head.lane);
    }
    this.#consumer.wake();
  }
}

/** Its next event can run, and nothing is known against it. */
function isFree(lane: Lane): boolean {
  const { running, timer, head, joining, first } = lane;
  const waits = running !== undefined || timer !== undefined || head !== undefined || joining > 0;
  return !waits && first !== undefined && mayJoin(first);
}

function mayJoin(run: Run): boolean {
  return !run.solo && !run.begun && run.partition?.left !== true;
}

function decoded(record: LogRecord, run: Run, at: number): Received<string, unknown> {
  try {
    return receive(record, run.subscription);
  } catch (error) {
    throw new BatchRefused(at, error);
  }
}

/** A batch on its way to disk. */
class BatchPending implements Pending {
  readonly patient = true;
  readonly unit: Unit;

  constructor(
    { runs, heads, context }: Batch,
    readonly settled: (outcome: Outcome) => void,
  ) {
    const claim = { type: "records", parts: partsOf(runs), lanes: heads.map(({ lane }) => lane.key) } as const;
    this.unit = { claim, reads: context.reads, effects: context.effects, lane: undefined };
  }
}

/** The records by partition. Ranges that touch are one, as they are when whole fetches are handled together. */
function partsOf(runs: readonly Run[]): readonly RecordsPart[] {
  const byPosition = new Map<Position, { readonly ranges: Range[]; readonly events: ClaimedEvent[] }>();
  for (const { claim } of runs) {
    if (claim.type !== "record") continue;
    let part = byPosition.get(claim.position);
    if (part === undefined) {
      part = { ranges: [], events: [] };
      byPosition.set(claim.position, part);
    }
    part.ranges.push([claim.start, claim.offset + 1]);
    if (claim.events !== undefined) part.events.push(...claim.events);
  }
  return [...byPosition].map(([position, { ranges, events }]) => {
    const part = { position, ranges: joined(ranges) };
    return events.length === 0 ? part : { ...part, events };
  });
}

function joined(ranges: Range[]): readonly Range[] {
  ranges.sort((a, b) => a[0] - b[0]);
  const touching: [number, number][] = [];
  for (const [start, end] of ranges) {
    const last = touching.at(-1);
    if (last?.[1] === start) last[1] = end;
    else touching.push([start, end]);
  }
  return touching;
}
