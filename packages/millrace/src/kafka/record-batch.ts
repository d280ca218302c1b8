import { crc32c } from "@platformatic/kafka";
import type { NewRecord } from "../log/log.js";
import { ByteWriter } from "./bytes.js";
import { type Compression, compressed } from "./compression.js";
import { writeHeaders } from "./envelope.js";

/** Who writes a batch, so that the broker knows it again: a second time it is not stored. */
export interface BatchWriter {
  readonly producer: bigint;
  readonly epoch: number;
  readonly sequence: number;
}

/** The bytes of a batch before its records. */
const headSize = 61;
/** Where what the checksum covers begins. */
const checkedFrom = 21;

/** Records in the encoding that a batch holds them in; made once, and sent as often as it takes. */
export class EncodedRecords {
  readonly #writer: ByteWriter;
  #count = 0;

  constructor(bytes = 64 * 1_024) {
    this.#writer = new ByteWriter(bytes);
    this.#writer.at = headSize;
  }

  get count(): number {
    return this.#count;
  }

  /** Bytes so far, the batch's own included. */
  get size(): number {
    return this.#writer.at;
  }

  // Record => length attributes timestampDelta offsetDelta keyLength key valueLength value [headers]
  //   length, timestampDelta, offsetDelta and lengths are zigzag varints
  add(record: NewRecord): void {
    const writer = this.#writer;
    const start = writer.at;
    // The length comes first, and is known last: nearly always it takes two bytes.
    writer.reserve(2);
    writer.at += 2;
    writer.int8(0);
    writer.varint(0);
    writer.varint(this.#count);
    writer.text(record.key);
    if (typeof record.data === "string") writer.text(record.data);
    else {
      writer.varint(record.data.length);
      writer.raw(record.data);
    }
    writeHeaders(writer, record);
    this.#count += 1;
    const end = writer.at;
    const length = end - start - 2;
    const lengthSize = length < 64 ? 1 : length < 8_192 ? 2 : length < 1_048_576 ? 3 : 4;
    if (lengthSize !== 2) {
      writer.reserve(2);
      writer.bytes.copyWithin(start + lengthSize, start + 2, end);
    }
    writer.at = start;
    writer.varint(length);
    writer.at = start + lengthSize + length;
  }

  /** Takes back the last record, which began at `size`. */
  drop(size: number): void {
    this.#writer.at = size;
    this.#count -= 1;
  }

  // RecordBatch => baseOffset batchLength partitionLeaderEpoch magic crc attributes lastOffsetDelta baseTimestamp
  //     maxTimestamp producerId producerEpoch baseSequence [records]
  /** The batch that holds them. */
  seal(
    { producer, epoch, sequence }: BatchWriter,
    at: { readonly now: number; readonly compression: Compression },
  ): Buffer {
    const plain = this.#writer.done();
    const { code, bytes: records } = compressed(plain.subarray(headSize), at.compression);
    const batch = code === 0 ? plain : Buffer.concat([plain.subarray(0, headSize), records]);
    batch.writeBigInt64BE(0n, 0);
    batch.writeInt32BE(batch.length - 12, 8);
    batch.writeInt32BE(-1, 12);
    batch[16] = 2;
    batch.writeInt16BE(code, 21);
    batch.writeInt32BE(this.#count - 1, 23);
    batch.writeBigInt64BE(BigInt(at.now), 27);
    batch.writeBigInt64BE(BigInt(at.now), 35);
    batch.writeBigInt64BE(producer, 43);
    batch.writeInt16BE(epoch, 51);
    batch.writeInt32BE(sequence, 53);
    batch.writeInt32BE(this.#count, 57);
    batch.writeUInt32BE(crc32c(batch.subarray(checkedFrom)), 17);
    return batch;
  }
}
