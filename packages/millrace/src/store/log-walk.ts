import type { LogReader, LogRecord } from "../log/log.js";

/** What of a topic to read: of each partition the offsets of [from, to), and about so many bytes in all. */
export interface Walk {
  readonly topic: string;
  readonly from: readonly number[];
  readonly to: readonly number[];
  readonly bytesMax: number;
}

/** How far a walk came in each partition. */
export interface Walked {
  readonly reached: readonly number[];
  readonly bytes: number;
  /** False when the bytes were used up before the ends. */
  readonly whole: boolean;
}

const recordsMax = 5_000;
const chunkBytes = 1024 * 1024;

/** Reads a part of a topic, each partition in order, and calls `visit` for each record of it. */
export async function walkLog(log: LogReader, walk: Walk, visit: (record: LogRecord) => void): Promise<Walked> {
  const reached = walk.from.map((from, partition) => Math.min(from, walk.to[partition] ?? 0));
  const open = (next: number, partition: number) => next < (walk.to[partition] as number);
  let bytes = 0;
  while (bytes < walk.bytesMax) {
    const from = reached.map((next, partition) => (open(next, partition) ? next : -1));
    if (from.every((next) => next < 0)) return { reached, bytes, whole: true };
    const bytesMax = Math.min(chunkBytes, walk.bytesMax - bytes);
    const batch = await log.read({ topic: walk.topic, from, recordsMax, bytesMax });
    for (const record of batch.records) if (open(record.offset, record.partition)) visit(record);
    bytes += batch.bytes;
    const before = [...reached];
    for (const [partition, start] of from.entries()) {
      if (start < 0) continue;
      const to = walk.to[partition] as number;
      reached[partition] = Math.min(to, Math.max(start, batch.next[partition] as number));
    }
    // Offsets before an end may hold no record: then there is nothing left to wait for.
    if (batch.atEnd || batch.records.length + changes(before, reached) === 0)
      return { reached: [...walk.to], bytes, whole: true };
  }
  return { reached, bytes, whole: !reached.some(open) };
}

const changes = (before: readonly number[], after: readonly number[]) =>
  after.filter((next, partition) => next !== before[partition]).length;
