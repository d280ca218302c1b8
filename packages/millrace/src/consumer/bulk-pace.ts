/** How many rows or statements a unit may hold: few while others commit, too, as they wait for it. */
const weight = { shared: 2_000, alone: 20_000, step: 4_000 };
/** The same in bytes, for rows that are large. */
const bytesMax = { shared: 8 * 1024 * 1024, alone: 64 * 1024 * 1024 };
/** A unit takes events for so long; what is not stored is folded again after a crash. */
const foldMs = 1_000;
const reloadMs = { first: 2, max: 200 };
/** Reads that changed meanwhile are read again at once so often, before a moment is waited. */
const reloadsAtOnce = 3;

/** How large a unit is. */
export interface UnitSize {
  /** Rows or statements. */
  readonly weight: number;
  readonly bytes: number;
}

/** How large the units of a bulk may grow, and how soon one is tried again. */
export class BulkPace {
  #weightMax = weight.shared;
  #bytesMax = bytesMax.shared;
  #lastCommit = 0;
  #reloads = 0;

  /** Enough is in a unit that began so long ago. */
  isEnough({ weight: weighs, bytes }: UnitSize, forMs: number): boolean {
    return weighs >= this.#weightMax || bytes >= this.#bytesMax || forMs >= foldMs;
  }

  /** A unit is stored. Commits of others between it and the one before: they wait for the next one, and it is to be short. */
  stored(commit: number): void {
    const alone = commit === this.#lastCommit + 1;
    this.#lastCommit = commit;
    this.#reloads = 0;
    this.#bytesMax = alone ? bytesMax.alone : bytesMax.shared;
    this.#weightMax = alone ? Math.min(this.#weightMax + weight.step, weight.alone) : weight.shared;
  }

  /** What a unit has read had changed: how long is waited until it is tried again. */
  reloadMs(): number {
    this.#reloads += 1;
    const late = this.#reloads - reloadsAtOnce;
    return late <= 0 ? 0 : Math.min(reloadMs.first * 2 ** late, reloadMs.max);
  }
}
