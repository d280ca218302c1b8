import type { LogRecord } from "../log/log.js";
import type { BatchCursor } from "./batch-cursor.js";
import { type Decoded, type DecodePlace, decode } from "./decode.js";

/** What a reader takes: records from an offset on, up to bounds. */
export interface Taking {
  readonly records: LogRecord[];
  readonly sizes: number[];
  recordsLeft: number;
  bytesLeft: number;
}

/** Consecutive records of a partition in memory. They are decoded when the first reader comes to them. */
export class Run {
  readonly place: DecodePlace;
  readonly start: number;
  /** Everything below it that the log has for readers is here. */
  end: number;
  bytes = 0;
  /** Somebody has read it to its end. */
  read = false;
  readonly #decoded: Decoded[] = [];
  #cursors: BatchCursor[] = [];
  /** Everything below it is decoded. */
  #walked: number;

  constructor(place: DecodePlace, cursor: BatchCursor) {
    this.place = place;
    this.start = cursor.next;
    this.end = this.start;
    this.#walked = this.start;
    this.extend(cursor);
  }

  /** What follows its end. */
  extend(cursor: BatchCursor): void {
    this.#cursors.push(cursor);
    this.end = cursor.end;
    this.bytes += cursor.size;
    this.read = false;
  }

  /** Takes records from an offset in it on; returns up to where that is complete. */
  take(from: number, taking: Taking): number {
    let index = this.#indexOf(from);
    let next = from;
    while (taking.recordsLeft > 0 && taking.bytesLeft > 0) {
      const decoded = this.#decoded[index] ?? this.#decode();
      if (decoded === undefined) {
        this.read = true;
        return this.end;
      }
      index += 1;
      if (decoded.record.offset < from) continue;
      taking.records.push(given(decoded));
      taking.sizes.push(decoded.size);
      taking.recordsLeft -= 1;
      taking.bytesLeft -= decoded.size;
      next = decoded.record.offset + 1;
    }
    return next;
  }

  /** One record, as it was written; undefined when none has that offset. */
  find(offset: number): LogRecord | undefined {
    while (this.#walked <= offset && this.#decode() !== undefined);
    const decoded = this.#decoded[this.#indexOf(offset)];
    return decoded?.record.offset === offset ? fresh(decoded) : undefined;
  }

  #decode(): Decoded | undefined {
    for (;;) {
      const cursor = this.#cursors[0];
      if (cursor === undefined) {
        this.#walked = this.end;
        return undefined;
      }
      const raw = cursor.read();
      if (raw === undefined) {
        this.#cursors.shift();
        continue;
      }
      this.#walked = cursor.next;
      const decoded = decode(raw, this.place);
      this.#decoded.push(decoded);
      return decoded;
    }
  }

  /** Of the first decoded record at or behind an offset. */
  #indexOf(offset: number): number {
    let low = 0;
    let high = this.#decoded.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#decoded[middle] as Decoded).record.offset < offset) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** Readers may change what they get: the first has the original, all others a copy. */
function given(decoded: Decoded): LogRecord {
  if (decoded.given) return fresh(decoded);
  decoded.given = true;
  return decoded.record;
}

function fresh({ record, text }: Decoded): LogRecord {
  return { ...record, data: text === undefined ? undefined : JSON.parse(text) };
}
