import type { LaneHead, Store } from "../store/store.js";
import type { Run } from "./run.js";

/** Whose entries are looked at. */
interface Place {
  readonly consumer: string;
  readonly store: Store;
}

/**
 * The entry that a run's claim of its record has made, now the head of its lane, for when the answer that named it was lost.
 * Undefined when there is none: the event is done, or it is a copy of one that was claimed before.
 */
export async function ownEntry({ claim, lane }: Run, { consumer, store }: Place): Promise<LaneHead | undefined> {
  const head = await store.readLaneHead(consumer, lane.key);
  if (head === undefined || claim.type !== "record") return undefined;
  const record = (await store.readEntry(head.entry))?.record;
  const { topic, partition } = claim.position;
  return record?.offset === claim.offset && record.topic === topic && record.partition === partition ? head : undefined;
}
