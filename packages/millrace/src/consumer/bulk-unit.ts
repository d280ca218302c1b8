import type { LogRecord } from "../log/log.js";
import type { ClaimedEvent, Outcome, Range, RecordsPart, Unit } from "../store/unit.js";
import type { BatchHandler, BatchWork } from "./batch.js";
import type { UnitSize } from "./bulk-pace.js";
import type { Pending } from "./committer.js";
import type { HandlerContext } from "./context.js";
import type { PartitionFeed } from "./feed.js";

/** An event as it was fetched. */
export interface Arrival {
  readonly partition: PartitionFeed;
  readonly record: LogRecord;
  readonly bytes: number;
}

/** As many events of one partition as may be under way in it: when the process dies of one, it is among these. */
const eventsMax = 10_000;

/** Events on their way into one unit of work. Of each partition they are all there are from where it began. */
export class BulkUnit {
  readonly work: BatchWork;
  /** The lanes of its events: none of them may have entries when it is committed. */
  readonly lanes = new Set<string>();
  readonly #parts = new Map<PartitionFeed, { readonly start: number; events: number; named: ClaimedEvent[] }>();
  events = 0;
  /** Of their texts in the log: a row may keep all of an event. */
  #bytes = 0;
  /** Nothing more comes in. */
  sealed = false;
  /** For those who listen: the ids of its events. */
  ids: string[] | undefined;

  constructor(
    readonly context: HandlerContext,
    handler: BatchHandler,
    readonly begunAt: number,
  ) {
    this.work = handler.begin(context);
  }

  /** Takes all of a partition up to an offset; `names` it in the claim where copies of it may come. */
  take({ partition, record: { offset, source, id, time, appended }, bytes }: Arrival, names: boolean): void {
    this.#bytes += bytes;
    let part = this.#parts.get(partition);
    if (part === undefined) {
      part = { start: partition.claimed, events: 0, named: [] };
      this.#parts.set(partition, part);
      partition.folding = partition.claimed;
    }
    part.events += 1;
    if (names) part.named.push({ source, id, time, appended });
    partition.claimed = offset + 1;
    this.events += 1;
  }

  /** What its commit will have to write, and at most hold meanwhile. */
  get size(): UnitSize {
    const { weight, read } = this.work;
    return { weight, bytes: this.#bytes + read };
  }

  isFull(partition: PartitionFeed): boolean {
    return (this.#parts.get(partition)?.events ?? 0) >= eventsMax;
  }

  /** Some of it is another process's by now. */
  get left(): boolean {
    for (const partition of this.#parts.keys()) if (partition.left) return true;
    return false;
  }

  /** All of it is stored. */
  done(): void {
    for (const [partition, { events }] of this.#parts) {
      partition.dispatched += events;
      partition.folding = undefined;
    }
  }

  /** Nothing of it is stored, and it is read again; `alone`: its events are not to be handled together then. */
  undone(alone: boolean): void {
    for (const [partition, { start }] of this.#parts) {
      if (alone) partition.aloneUntil = Math.max(partition.aloneUntil, partition.claimed);
      partition.folding = undefined;
      partition.rewind(start);
    }
  }

  /** As what is to be committed. */
  pending(settled: (outcome: Outcome) => void): Pending {
    const parts: RecordsPart[] = [...this.#parts].map(([partition, { start, named }]) => {
      // What passed by behind its last event is done with it.
      if (partition.arrived === 0) partition.claimed = Math.max(partition.claimed, partition.scanned);
      const range: Range = [start, partition.claimed];
      const part = { position: partition.position, ranges: [range] };
      return named.length === 0 ? part : { ...part, events: named };
    });
    const { reads, effects } = this.context;
    const unit: Unit = {
      claim: { type: "records", parts, lanes: [...this.lanes] },
      reads,
      effects,
      lane: undefined,
    };
    return { patient: true, background: true, unit, settled };
  }
}
