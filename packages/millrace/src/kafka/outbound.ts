import type { NewRecord } from "../log/log.js";
import type { BatchWriter } from "./record-batch.js";
import { EncodedRecords } from "./record-batch.js";

/** Records that somebody waits for: resolved when all of them are stored, rejected when one of them is not. */
export interface Append {
  left: number;
  failed: boolean;
  resolve(): void;
  reject(error: unknown): void;
}

/** One record on its way. */
export interface Outgoing {
  readonly record: NewRecord;
  readonly append: Append;
}

/** A batch that was sent, or is about to be: sent again, it is the same. */
export interface Flight {
  readonly items: readonly Outgoing[];
  readonly encoded: EncodedRecords;
  writer: BatchWriter;
}

/** The records of one partition that wait to be stored, in order: one batch is under way at a time. */
export class Outbound {
  readonly topic: string;
  readonly partition: number;
  readonly #waiting: Outgoing[] = [];
  #from = 0;
  flight: Flight | undefined;
  /** It is part of a request under way. */
  sending = false;
  /** When what is first in it is given up, by the monotonic clock; undefined before its first attempt. */
  deadline: number | undefined;
  /** Under which this process writes it; undefined until it is given one, or when what the broker knows is not certain. */
  writer: BatchWriter | undefined;
  /** A batch is not larger. Shrinks when the broker finds one too large. */
  batchBytesMax: number;

  constructor(topic: string, partition: number, batchBytesMax: number) {
    this.topic = topic;
    this.partition = partition;
    this.batchBytesMax = batchBytesMax;
  }

  get idle(): boolean {
    return this.flight === undefined && this.#from === this.#waiting.length;
  }

  add(item: Outgoing): void {
    this.#waiting.push(item);
  }

  /** Puts the next records into a batch, under a writer that is known. */
  board(): Flight | undefined {
    const { writer } = this;
    if (writer === undefined || this.#from === this.#waiting.length) return undefined;
    const encoded = new EncodedRecords();
    const first = this.#from;
    while (this.#from < this.#waiting.length) {
      const { size } = encoded;
      encoded.add((this.#waiting[this.#from] as Outgoing).record);
      if (encoded.size > this.batchBytesMax && encoded.count > 1) {
        encoded.drop(size);
        break;
      }
      this.#from += 1;
    }
    const items = this.#waiting.slice(first, this.#from);
    if (this.#from === this.#waiting.length || this.#from > 10_000) {
      this.#waiting.splice(0, this.#from);
      this.#from = 0;
    }
    this.flight = { items, encoded, writer };
    return this.flight;
  }

  /** The batch under way is stored from an offset on; below zero when that is not known. */
  landed(offset: number): void {
    const { items, writer } = this.#end();
    this.writer = { ...writer, sequence: (writer.sequence + items.length) % 2 ** 31 };
    items.forEach(({ record, append }, index) => {
      record.offset = offset < 0 ? -1 : offset + index;
      append.left -= 1;
      if (append.left === 0 && !append.failed) append.resolve();
    });
  }

  /** The batch under way was refused as too large: what it holds waits again, to go in smaller ones. */
  split(): void {
    const { items, writer } = this.#end();
    this.#waiting.splice(0, this.#from, ...items);
    this.#from = 0;
    this.batchBytesMax = Math.max(1, Math.floor(this.batchBytesMax / 2));
    this.writer = writer;
  }

  /** Gives up the batch under way; and what waits behind it, as it would come before it otherwise. */
  fail(error: unknown): void {
    const items = [...(this.flight?.items ?? []), ...this.#waiting.slice(this.#from)];
    this.flight = undefined;
    this.deadline = undefined;
    this.writer = undefined;
    this.#waiting.length = 0;
    this.#from = 0;
    refuse(items, error);
  }

  /** Refuses the batch under way, of which nothing was stored; what waits behind it goes on. */
  refuseFlight(error: unknown): void {
    const { items, writer } = this.#end();
    this.writer = writer;
    refuse(items, error);
  }

  #end(): Flight {
    const flight = this.flight as Flight;
    this.flight = undefined;
    this.deadline = undefined;
    return flight;
  }
}

function refuse(items: readonly Outgoing[], error: unknown): void {
  for (const { append } of items) {
    if (append.failed) continue;
    append.failed = true;
    append.reject(error);
  }
}
