import { Failure } from "../failure/failure.js";
import { assertSound, decodeBlock, decodeOne } from "../log/block.js";
import type { Batch, LogRecord, ReadRequest, RecordPlace } from "../log/log.js";
import { BegunBlocks, holds } from "./begun-blocks.js";
import { offsetSpan } from "./schema.js";
import { type Database, prepareRows, type Statement } from "./sqlite.js";
import type { Block, Topic, Topics } from "./topics.js";

const blocksMax = 64;
/** As many records a block is taken for that is not known yet. */
const blockRecords = 256;

/** Reads blocks: new ones from memory, older ones through a connection that only reads. */
export class BlockReader {
  readonly #topics: Topics;
  readonly #select: Statement;
  readonly #begun = new BegunBlocks();

  constructor(database: Database, topics: Topics) {
    this.#topics = topics;
    // The block that holds an offset is the last one that begins at or before it.
    this.#select = prepareRows(
      database,
      `SELECT pos, count, appended, body, sum FROM mr_log
       WHERE pos >= (SELECT coalesce(max(pos), ?1) FROM mr_log WHERE pos >= ?1 AND pos <= ?2) AND pos < ?3 ORDER BY pos LIMIT ?4`,
    );
  }

  read(request: ReadRequest): Batch {
    const topic = this.#topics.get(request.topic);
    const wanted = request.from.filter((offset) => offset >= 0);
    const from = Math.min(...wanted);
    const records: LogRecord[] = [];
    const sizes: number[] = [];
    let bytes = 0;
    let next = Math.max(from, topic.first);
    let atOnce = Math.ceil(request.recordsMax / blockRecords);
    while (next < topic.end && records.length < request.recordsMax && bytes < request.bytesMax) {
      const blocks = this.#blocks(topic, next, atOnce);
      // Blocks may be large: what turns out to be too much was at most as much again as what was needed.
      atOnce *= 2;
      if (blocks.length === 0) throw missing(request.topic, next, topic.end);
      for (const whole of blocks) {
        // Offsets of a topic have no gaps: what stood here is lost, and nobody may go on as if it had been read.
        if (whole.first > next) throw missing(request.topic, next, whole.first);
        // Parsed as a whole, unless that is far more than was asked for.
        const few = records.length + whole.count <= 2 * request.recordsMax;
        const block = few ? whole : this.#begun.read(topic, whole, { from: next, most: request.recordsMax });
        next = block.first + block.count;
        bytes += block.body.length;
        const decoded = decodeBlock(request.topic, block.first, block.appended, block.body);
        let line = 0;
        for (const record of decoded) {
          const lineEnd = endOfLine(block.body, line);
          const start = request.from[record.partition];
          if (start !== undefined && start >= 0 && record.offset >= start) {
            records.push(record);
            sizes.push(lineEnd - line);
          }
          line = lineEnd;
        }
        if (records.length >= request.recordsMax || bytes >= request.bytesMax) break;
      }
    }
    const atEnd = next >= topic.end;
    return {
      records,
      sizes,
      next: request.from.map((offset) => (offset < 0 ? offset : Math.max(offset, next))),
      atEnd,
      bytes,
    };
  }

  record({ topic: name, partition, offset }: RecordPlace): LogRecord | undefined {
    const topic = this.#topics.get(name);
    if (offset < topic.first || offset >= topic.end) return undefined;
    const block = this.#blocks(topic, offset, 1)[0];
    if (block === undefined || !holds(block, offset)) return undefined;
    const record = decodeOne(name, block, offset);
    return record?.partition === partition ? record : undefined;
  }

  #blocks(topic: Topic, from: number, wanted: number): Block[] {
    const { tail } = topic;
    const oldest = tail[0];
    if (oldest !== undefined && from >= oldest.first) return tail.slice(lastAtOrBefore(tail, from));
    const begun = this.#begun.find(topic, from);
    if (begun !== undefined) return [begun];
    const limit = Math.min(blocksMax, wanted);
    const rows = this.#select.all(topic.base, topic.base + from, topic.base + offsetSpan, limit) as [
      number,
      number,
      number,
      string,
      number,
    ][];
    return rows
      .map(([pos, count, appended, body, sum]) => {
        const first = pos - topic.base;
        assertSound({ count, appended, body, sum }, topic.shape.name, first);
        return { first, count, appended, body };
      })
      .filter((block) => block.first + block.count > from);
  }
}

/** Where the next line begins: a line break never occurs within one. */
function endOfLine(body: string, start: number): number {
  const end = body.indexOf("\n", start);
  return end < 0 ? body.length : end + 1;
}

function missing(topic: string, from: number, to: number): Failure {
  return new Failure(
    "STORE_DAMAGED",
    `${topic}@${from}: the records up to ${to} are missing; stop, keep a copy of the file, and restore a backup`,
  );
}

function lastAtOrBefore(blocks: readonly Block[], offset: number): number {
  let low = 0;
  let high = blocks.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if ((blocks[middle] as Block).first <= offset) low = middle;
    else high = middle - 1;
  }
  return low;
}
