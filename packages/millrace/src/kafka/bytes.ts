/** Buffer's own fast ways in and out, which its types leave out. */
type FastBuffer = Buffer & {
  utf8Write(text: string, at: number): number;
  utf8Slice(from: number, to: number): string;
  latin1Slice(from: number, to: number): string;
};

/** Writes Kafka's primitive types, one behind the other, into a buffer that grows. */
export class ByteWriter {
  bytes: FastBuffer;
  at = 0;

  constructor(size = 1_024) {
    this.bytes = Buffer.allocUnsafe(size) as FastBuffer;
  }

  /** Room for so many more bytes. */
  reserve(more: number): void {
    if (this.at + more <= this.bytes.length) return;
    const grown = Buffer.allocUnsafe(Math.max(this.bytes.length * 2, this.at + more));
    this.bytes.copy(grown, 0, 0, this.at);
    this.bytes = grown as FastBuffer;
  }

  int8(value: number): void {
    this.reserve(1);
    this.bytes[this.at++] = value & 0xff;
  }

  int16(value: number): void {
    this.reserve(2);
    this.at = this.bytes.writeInt16BE(value, this.at);
  }

  int32(value: number): void {
    this.reserve(4);
    this.at = this.bytes.writeInt32BE(value, this.at);
  }

  int64(value: bigint | number): void {
    this.reserve(8);
    this.at = this.bytes.writeBigInt64BE(BigInt(value), this.at);
  }

  /** Seven bits a byte, the lowest first. */
  uvarint(value: number): void {
    this.reserve(5);
    let left = value >>> 0;
    while (left > 0x7f) {
      this.bytes[this.at++] = (left & 0x7f) | 0x80;
      left >>>= 7;
    }
    this.bytes[this.at++] = left;
  }

  /** Zigzag: small negatives are short too. Within 32 bits. */
  varint(value: number): void {
    this.uvarint((value << 1) ^ (value >> 31));
  }

  raw(bytes: Uint8Array): void {
    this.reserve(bytes.length);
    this.bytes.set(bytes, this.at);
    this.at += bytes.length;
  }

  /** Text as UTF-8, behind its length as a zigzag varint. */
  text(text: string): void {
    const { length } = text;
    this.reserve(length * 3 + 5);
    if (length < 64) {
      // One byte holds the length of what is ASCII, as nearly all of it is.
      const written = this.bytes.utf8Write(text, this.at + 1);
      if (written === length) {
        this.bytes[this.at] = length << 1;
        this.at += length + 1;
        return;
      }
    }
    this.varint(Buffer.byteLength(text));
    this.at += this.bytes.utf8Write(text, this.at);
  }

  /** A string of the flexible protocol versions: behind its length plus one. */
  compactText(text: string): void {
    const bytes = Buffer.from(text);
    this.uvarint(bytes.length + 1);
    this.raw(bytes);
  }

  /** `xxxxxxxx-xxxx-…` as 16 bytes. */
  uuid(text: string): void {
    this.raw(Buffer.from(text.replaceAll("-", ""), "hex"));
  }

  /** No tagged fields. */
  noTags(): void {
    this.int8(0);
  }

  done(): Buffer {
    return this.bytes.subarray(0, this.at);
  }
}

/** Reads Kafka's primitive types, one behind the other. */
export class ByteReader {
  readonly bytes: FastBuffer;
  at: number;

  constructor(bytes: Buffer, at = 0) {
    this.bytes = bytes as FastBuffer;
    this.at = at;
  }

  int8(): number {
    return this.bytes.readInt8(this.at++);
  }

  int16(): number {
    this.at += 2;
    return this.bytes.readInt16BE(this.at - 2);
  }

  int32(): number {
    this.at += 4;
    return this.bytes.readInt32BE(this.at - 4);
  }

  /** Offsets and times fit a number. */
  int64(): number {
    this.at += 8;
    return this.bytes.readInt32BE(this.at - 8) * 0x1_0000_0000 + this.bytes.readUInt32BE(this.at - 4);
  }

  bigint64(): bigint {
    this.at += 8;
    return this.bytes.readBigInt64BE(this.at - 8);
  }

  uvarint(): number {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = this.bytes[this.at++] as number;
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value >>> 0;
    }
  }

  varint(): number {
    const value = this.uvarint();
    return (value >>> 1) ^ -(value & 1);
  }

  /** Zigzag of 64 bits, as far as a number goes. */
  varlong(): number {
    let value = 0;
    let scale = 1;
    for (;;) {
      const byte = this.bytes[this.at++] as number;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) break;
      scale *= 128;
    }
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  }

  /** Text of so many bytes of UTF-8. */
  text(length: number): string {
    this.at += length;
    return this.bytes.utf8Slice(this.at - length, this.at);
  }

  /** Text of so many bytes that are ASCII, if it is what we look for. */
  plainText(length: number): string {
    this.at += length;
    return this.bytes.latin1Slice(this.at - length, this.at);
  }

  /** Empty for null. */
  compactText(): string {
    const length = this.uvarint();
    return length === 0 ? "" : this.text(length - 1);
  }

  /** How many elements follow; none for null. */
  compactLength(): number {
    return Math.max(0, this.uvarint() - 1);
  }

  uuid(): string {
    this.at += 16;
    const hex = this.bytes.toString("hex", this.at - 16, this.at);
    return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
  }

  skipTags(): void {
    for (let left = this.uvarint(); left > 0; left -= 1) {
      this.uvarint();
      const size = this.uvarint();
      this.at += size;
    }
  }
}
