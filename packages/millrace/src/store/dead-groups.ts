import type { DeadGroup } from "./inspect.js";
import type { LaneEntry } from "./unit.js";

/** What a store counts of dead letters with one fingerprint. */
export interface DeadGroupRow extends Pick<DeadGroup, "keys" | "first" | "last"> {
  readonly fingerprint: string | null;
  readonly n: number;
  /** A JSON array, in any order. */
  readonly consumers: string;
  /** The number of the oldest. */
  readonly example: number;
}

/** A group of dead letters, with the oldest of them. */
export function decodeDeadGroup(row: DeadGroupRow, example: LaneEntry): DeadGroup {
  const { fingerprint, n, keys, consumers, first, last } = row;
  return {
    fingerprint: fingerprint ?? undefined,
    count: n,
    keys,
    consumers: (JSON.parse(consumers) as string[]).sort(),
    first,
    last,
    example,
  };
}
