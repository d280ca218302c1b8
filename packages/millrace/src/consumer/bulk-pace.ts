import type { Background } from "./background.js";

/**
 * How many rows or statements a unit may hold. `beside`: others of this process work, and wait for each of its turns and
 * commits. `shared`: other processes commit to the same file.
 */
const weightMax = { beside: 100, shared: 2_000, alone: 20_000 };
/** What a unit may hold in bytes, for rows that are large. */
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
  readonly #background: Background;
  #weightMax = weightMax.shared;
  #bytesMax = bytesMax.shared;
  #last = { commit: 0, commits: 0 };
  #reloads = 0;

  constructor(background: Background) {
    this.#background = background;
  }

  /** So many events may be folded in one turn. */
  get eventsMax(): number {
    return this.#background.eventsMax;
  }

  /** Enough is in a unit that began so long ago. */
  isEnough({ weight, bytes }: UnitSize, forMs: number): boolean {
    const most = this.#background.shared ? weightMax.beside : this.#weightMax;
    return weight >= most || bytes >= this.#bytesMax || forMs >= foldMs;
  }

  /** A unit is stored. When no other process has committed since the one before, the next may be larger. */
  stored(commit: number): void {
    const { commits } = this.#background;
    const alone = !this.#background.shared && commit - this.#last.commit <= commits - this.#last.commits;
    this.#last = { commit, commits };
    this.#reloads = 0;
    this.#bytesMax = alone ? bytesMax.alone : bytesMax.shared;
    this.#weightMax = alone ? weightMax.alone : weightMax.shared;
  }

  /** What a unit has read had changed: how long is waited until it is tried again. */
  reloadMs(): number {
    this.#reloads += 1;
    const late = this.#reloads - reloadsAtOnce;
    return late <= 0 ? 0 : Math.min(reloadMs.first * 2 ** late, reloadMs.max);
  }
}
