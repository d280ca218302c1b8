import type { Batch, LogRecord, ReadRequest } from "../log/log.js";
import type { Position } from "../store/unit.js";
import type { Run } from "./run.js";

const windowMax = 10_000;
/** Of a log that answers later, batches are larger: each costs its way there and back, and what is under way meanwhile. */
const batchRecordsMax = { here: 512, remote: 2_048 };
const batchBytesMax = 4 * 1024 * 1024;

/** One partition as its consumer walks along it. */
export class PartitionFeed {
  /** The next offset to fetch: everything before it was dispatched or passed by. */
  scanned: number;
  /** Where the next claim's range begins. */
  claimed: number;
  dispatched = 0;
  readonly outstanding = new Set<Run>();
  /** Where the unit of work begins that its events are folded into, until that is stored. */
  folding: number | undefined;
  /** Events that were fetched, and neither folded nor dispatched. */
  arrived = 0;
  /** What is below it is not handled together with others. */
  aloneUntil = 0;
  /** How often it was read again from further back. */
  rewinds = 0;
  /** Its log answers later, and cannot tell a record again at once. */
  remote = false;
  /** The lease is given up or lost: what has not begun is not begun here. */
  left = false;
  /** Ranges above the frontier that were finished before this process started. */
  #finished: Position["finished"];

  constructor(
    readonly position: Position,
    /** The record as the log holds it, with amendments; undefined where the log cannot say at once. */
    readonly reread: (offset: number) => LogRecord | undefined,
  ) {
    this.scanned = position.frontier;
    this.claimed = position.frontier;
    this.#finished = position.finished;
  }

  /** Done by an earlier process. */
  isFinished(offset: number): boolean {
    if (this.#finished.length === 0) return false;
    const last = this.#finished.at(-1) as readonly [number, number];
    if (offset >= last[1]) {
      this.#finished = [];
      return false;
    }
    return this.#finished.some(([start, end]) => offset >= start && offset < end);
  }

  /** Something of it is under way. */
  get busy(): boolean {
    return this.outstanding.size > 0 || this.folding !== undefined;
  }

  /** It is read again from an offset: nothing from there on has been dispatched, or passed by for good. */
  rewind(to: number): void {
    this.rewinds += 1;
    this.scanned = to;
    this.claimed = to;
    this.#finished = this.position.finished;
  }

  /** True when the oldest unfinished event holds the frontier too far back to go on. */
  get full(): boolean {
    for (const oldest of this.outstanding) return this.dispatched - oldest.sequence >= windowMax;
    return false;
  }
}

/** A topic as one consumer reads it: the partitions whose leases this process has, by number. */
export class TopicFeed {
  atEnd = false;
  reading = false;
  /** It grew while a batch was on its way: where the batch ends, more may follow. */
  #grew = false;
  readonly partitions: (PartitionFeed | undefined)[];

  constructor(
    readonly topic: string,
    partitions: number,
  ) {
    this.partitions = new Array(partitions).fill(undefined);
  }

  request({
    bytesMax,
    recordsMax,
  }: {
    readonly bytesMax: number;
    readonly recordsMax: number;
  }): ReadRequest | undefined {
    const from = this.partitions.map((partition) =>
      partition === undefined || partition.full ? -1 : partition.scanned,
    );
    if (from.every((offset) => offset < 0)) {
      // Without a partition of its own there is nothing to come to the end of.
      if (this.partitions.every((partition) => partition === undefined)) this.atEnd = true;
      return undefined;
    }
    const remote = this.partitions.some((partition) => partition?.remote === true);
    const most = remote ? batchRecordsMax.remote : batchRecordsMax.here;
    return {
      ...{ topic: this.topic, from },
      ...{ recordsMax: Math.min(recordsMax, most), bytesMax: Math.min(bytesMax, batchBytesMax) },
    };
  }

  /** Some of its partitions were moved back. */
  readAgain(): void {
    this.atEnd = false;
  }

  /** There is more than was known. */
  appended(): void {
    this.atEnd = false;
    this.#grew = this.reading;
  }

  /** Notes how far a batch came that was `asked` for; false when that is no further than before. */
  read(batch: Batch, asked: readonly (PartitionFeed | undefined)[]): boolean {
    let further = false;
    this.atEnd = batch.atEnd && !this.#grew;
    this.#grew = false;
    this.partitions.forEach((partition, index) => {
      if (partition === undefined) return;
      // It was moved, or came, while the batch was on its way: what was read is not what comes next for it.
      if (asked[index] !== partition) {
        this.atEnd = false;
        return;
      }
      const next = batch.next[index] ?? -1;
      // It was left out, being full: the end of the others is not the end.
      if (next < 0) this.atEnd = false;
      if (next <= partition.scanned) return;
      partition.scanned = next;
      further = true;
    });
    return further;
  }
}
