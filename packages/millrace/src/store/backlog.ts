import type { LogReader } from "../log/log.js";
import { walkLog } from "./log-walk.js";
import { isDone } from "./position.js";
import type { Position } from "./unit.js";

/** What a consumer has not handled yet of one topic. */
export interface Backlog {
  readonly topic: string;
  readonly types: ReadonlySet<string>;
  readonly positions: readonly Position[];
  /** Where the partitions begin and end. */
  readonly starts: readonly number[];
  readonly ends: readonly number[];
}

/** How far ahead of a consumer's frontiers its backlog is counted record by record. */
const bytesMax = 1024 * 1024;

/**
 * Counts what is not done, and notes for each position when its oldest pending record reached the log.
 *
 * Exact while the backlog fits into 1 MiB. Beyond, every offset counts, so that it is an upper bound; a position whose
 * oldest pending record was not met is asked where reading stopped, so that its time is an upper bound too.
 */
export async function countBacklog(log: LogReader, backlog: Backlog, oldest: Map<number, number>): Promise<number> {
  const { topic, types, positions, starts, ends } = backlog;
  const byPartition = new Map(positions.map((position) => [position.partition, position]));
  // Of a partition without a position nothing is wanted: it is read from its end on.
  const from = ends.map((end, partition) => {
    const position = byPartition.get(partition);
    return position === undefined ? end : Math.min(end, Math.max(starts[partition] ?? 0, position.frontier));
  });
  if (from.every((start, partition) => start >= (ends[partition] as number))) return 0;
  let pending = 0;
  const { reached } = await walkLog(log, { topic, from, to: ends, bytesMax }, (record) => {
    const position = byPartition.get(record.partition) as Position;
    if (!types.has(record.type) || isDone(position, record.offset)) return;
    pending += 1;
    if (!oldest.has(position.id)) oldest.set(position.id, record.appended);
  });
  for (const position of positions) {
    const [next, end] = [reached[position.partition] ?? 0, ends[position.partition] ?? 0];
    if (next >= end) continue;
    pending += end - next - finishedAbove(position, next);
    if (!oldest.has(position.id)) await noteNext(log, { topic, position, next }, oldest);
  }
  return pending;
}

function finishedAbove({ finished }: Position, from: number): number {
  return finished.reduce((sum, [start, end]) => sum + Math.max(0, end - Math.max(start, from)), 0);
}

async function noteNext(
  log: LogReader,
  { topic, position, next }: { readonly topic: string; readonly position: Position; readonly next: number },
  oldest: Map<number, number>,
): Promise<void> {
  const from = Array.from({ length: position.partition + 1 }, (_, partition) =>
    partition === position.partition ? next : -1,
  );
  const { records } = await log.read({ topic, from, recordsMax: 1, bytesMax: 1 });
  if (records[0] !== undefined) oldest.set(position.id, records[0].appended);
}
