import { crc32c } from "@platformatic/kafka";
import { Failure } from "../failure/failure.js";
import { ByteReader } from "./bytes.js";
import { decompressed } from "./compression.js";
import type { FetchedPart } from "./fetch.js";

const packedMask = 0b111;
const appendTimeBit = 1 << 3;
const transactionalBit = 1 << 4;
const controlBit = 1 << 5;
const headSize = 61;
const checkedFrom = 21;
const abortMarker = 0;

/** A record before its key, value and headers are looked at: `reader` stands at the key. */
export interface RawRecord {
  readonly offset: number;
  /** When it reached the log, as far as the log says (ms since the epoch). */
  readonly appended: number;
  readonly size: number;
  readonly reader: ByteReader;
}

/** The batch that the cursor is in. */
interface Batch {
  readonly first: number;
  /** Behind its last offset, whether a record has that still or not. */
  readonly next: number;
  readonly reader: ByteReader;
  readonly firstTime: number;
  /** The broker's time for all of its records, if it sets one. */
  readonly appendTime: number | undefined;
  left: number;
}

/**
 * Walks over what a partition answered, record by record. What was aborted, and what brokers wrote for themselves, is
 * passed over; a batch that came only in part is not entered.
 */
export class BatchCursor {
  readonly #bytes: Buffer;
  readonly #aborted: FetchedPart["aborted"];
  readonly #from: number;
  readonly #where: string;
  readonly #aborting = new Set<bigint>();
  #abortedSeen = 0;
  #at = 0;
  #batch: Batch | undefined;
  /** Every offset below it has been walked over. */
  next: number;

  /** @param where topic and partition, for messages */
  constructor(part: Pick<FetchedPart, "records" | "aborted">, from: number, where: string) {
    this.#bytes = part.records ?? Buffer.alloc(0);
    this.#aborted = part.aborted;
    this.#from = from;
    this.#where = where;
    this.next = from;
  }

  get size(): number {
    return this.#bytes.length;
  }

  /** Where `next` will be when all of it has been walked over. */
  get end(): number {
    let end = this.next;
    for (let at = this.#at; at + headSize <= this.#bytes.length; ) {
      const head = new ByteReader(this.#bytes, at);
      const first = head.int64();
      at += 12 + head.int32();
      if (at > this.#bytes.length) break;
      end = Math.max(end, first + this.#bytes.readInt32BE(head.at + 11) + 1);
    }
    return end;
  }

  /**
   * The next record; undefined at the end of what came.
   *
   * @throws {Failure} STORE_DAMAGED when a batch is not as it was written; STORE_FORMAT when it cannot be unpacked here.
   */
  read(): RawRecord | undefined {
    for (;;) {
      const batch = this.#batch ?? this.#open();
      if (batch === undefined) return undefined;
      if (batch.left === 0) {
        this.next = Math.max(this.next, batch.next);
        this.#batch = undefined;
        continue;
      }
      const record = recordOf(batch);
      if (record.offset < this.#from) continue;
      this.next = batch.left === 0 ? Math.max(batch.next, record.offset + 1) : record.offset + 1;
      return record;
    }
  }

  /** Enters the next batch that has records for readers. */
  #open(): Batch | undefined {
    while (this.#at + headSize <= this.#bytes.length) {
      const head = new ByteReader(this.#bytes, this.#at);
      const first = head.int64();
      const end = this.#at + 12 + head.int32();
      if (end > this.#bytes.length) return undefined;
      const bytes = this.#bytes.subarray(this.#at, end);
      this.#at = end;
      this.#check(bytes, first);
      const batch = this.#enter(bytes, first);
      if (batch.next <= this.#from || !this.#isForReaders(bytes, batch)) {
        this.next = Math.max(this.next, batch.next);
        continue;
      }
      this.#batch = batch;
      return batch;
    }
    return undefined;
  }

  #check(bytes: Buffer, first: number): void {
    const magic = bytes[16];
    if (magic !== 2) throw new Failure("STORE_FORMAT", `${this.#where}@${first}: a batch of format ${magic}, not 2`);
    if (crc32c(bytes.subarray(checkedFrom)) === bytes.readUInt32BE(17)) return;
    throw new Failure(
      "STORE_DAMAGED",
      `${this.#where}@${first}: the batch is not as it was written: its checksum differs`,
    );
  }

  #enter(bytes: Buffer, first: number): Batch {
    const attributes = bytes.readInt16BE(21);
    const next = first + bytes.readInt32BE(23) + 1;
    const head = new ByteReader(bytes, 27);
    const [firstTime, lastTime] = [head.int64(), head.int64()];
    const packed = attributes & packedMask;
    const reader =
      packed === 0 || next <= this.#from
        ? new ByteReader(bytes, headSize)
        : new ByteReader(decompressed(bytes.subarray(headSize), packed, `${this.#where}@${first}`));
    const appendTime = (attributes & appendTimeBit) === 0 ? undefined : lastTime;
    return { first, next, reader, firstTime, appendTime, left: bytes.readInt32BE(57) };
  }

  #isForReaders(bytes: Buffer, batch: Batch): boolean {
    const attributes = bytes.readInt16BE(21);
    const producer = bytes.readBigInt64BE(43);
    for (let one = this.#aborted[this.#abortedSeen]; one !== undefined && one.first < batch.next; ) {
      this.#aborting.add(one.producer);
      this.#abortedSeen += 1;
      one = this.#aborted[this.#abortedSeen];
    }
    if ((attributes & controlBit) !== 0) {
      if (isAbort(batch)) this.#aborting.delete(producer);
      return false;
    }
    return (attributes & transactionalBit) === 0 || !this.#aborting.has(producer);
  }
}

function recordOf(batch: Batch): RawRecord {
  const { reader } = batch;
  batch.left -= 1;
  const size = reader.varint();
  const end = reader.at + size;
  reader.at += 1;
  const time = batch.firstTime + reader.varlong();
  const offset = batch.first + reader.varint();
  const body = new ByteReader(reader.bytes, reader.at);
  reader.at = end;
  return { offset, appended: batch.appendTime ?? time, size, reader: body };
}

// ControlRecordKey => version type; both INT16, type 0 is an abort, 1 a commit.
function isAbort(batch: Batch): boolean {
  if (batch.left === 0) return false;
  const { reader } = recordOf(batch);
  reader.varint();
  reader.int16();
  return reader.int16() === abortMarker;
}
