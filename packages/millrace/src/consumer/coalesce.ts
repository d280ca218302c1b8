import type { LogRecord } from "../log/log.js";
import { signal } from "../runtime/signals.js";
import type { Range } from "../store/unit.js";
import type { PartitionFeed } from "./feed.js";
import type { Lane } from "./lane.js";
import type { MemoryShare } from "./memory.js";
import type { Subscription } from "./plan.js";
import type { Run } from "./run.js";

const coalescedSignal = signal("coalesced");

/** Where a record came from, who hears it, and what it counts. */
export interface Arrival {
  readonly partition: PartitionFeed;
  readonly subscription: Subscription;
  readonly bytes: number;
  readonly memory: MemoryShare;
}

/**
 * Lets the lane's newest waiting run take `record` instead of the event it has, which is superseded: the claim of the run
 * covers both, so that they are finished in one commit or not at all.
 *
 * False when nothing waits that may be superseded: the newest has begun, so that its failures stay its own; it is of
 * another type, which has to be handled in its place; or it came from another partition.
 */
export function supersede(lane: Lane, record: LogRecord, { partition, subscription, bytes, memory }: Arrival): boolean {
  const run = lane.last;
  if (run === undefined || run.begun || run === lane.running || run.subscription !== subscription) return false;
  const { claim } = run;
  if (run.partition !== partition || claim.type !== "record") return false;
  const covers = claim.covers === undefined ? [] : (claim.covers as Range[]);
  const last = covers.at(-1);
  // Events of one key often stand side by side: then their ranges are one.
  if (last?.[1] === claim.start) covers[covers.length - 1] = [last[0], claim.offset + 1];
  else covers.push([claim.start, claim.offset + 1]);
  run.claim = { ...claim, start: partition.claimed, offset: record.offset, covers };
  run.record = record;
  run.superseded += 1;
  run.quietAt = 0;
  partition.claimed = record.offset + 1;
  partition.dispatched += 1;
  memory.give(run.bytes);
  run.bytes = bytes;
  return true;
}

/** Tells who listens that a run has finished older events with its own. */
export function tellCoalesced(consumer: string, { record, superseded }: Run): void {
  if (coalescedSignal.active) coalescedSignal.publish({ consumer, event: record.id, superseded });
}
