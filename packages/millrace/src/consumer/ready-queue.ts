import type { Lane } from "./lane.js";

/** Of so many turns one goes to whoever has waited longest, whatever its priority. */
const fairEvery = 8;
const compactAt = 1_000;

interface Band {
  readonly priority: number;
  lanes: Lane[];
  /** Where its first lane stands. */
  front: number;
}

/**
 * The lanes whose turn it is: of higher priority first, then in the order in which they came. Every eighth turn is that
 * of the lane that has waited longest, so that none waits for ever. A lane has the priority of the subscription whose
 * event stands first in it; what runs from an entry has priority 0.
 */
export class ReadyQueue {
  /** Highest priority first. */
  readonly #bands: Band[] = [{ priority: 0, lanes: [], front: 0 }];
  #length = 0;
  #turns = 0;
  #pushes = 0;

  get length(): number {
    return this.#length;
  }

  push(lane: Lane): void {
    const priority = lane.head === undefined ? (lane.first?.subscription.priority ?? 0) : 0;
    this.#length += 1;
    this.#pushes += 1;
    lane.readySince = this.#pushes;
    this.#band(priority).lanes.push(lane);
  }

  shift(): Lane | undefined {
    if (this.#length === 0) return undefined;
    this.#length -= 1;
    const band = this.#next();
    const lane = band.lanes[band.front] as Lane;
    band.front += 1;
    if (band.front === band.lanes.length) {
      band.lanes = [];
      band.front = 0;
    } else if (band.front >= compactAt && band.front * 2 >= band.lanes.length) {
      band.lanes = band.lanes.slice(band.front);
      band.front = 0;
    }
    return lane;
  }

  #next(): Band {
    if (this.#bands.length === 1) return this.#bands[0] as Band;
    const waiting = this.#bands.filter((band) => band.lanes.length > 0);
    this.#turns += 1;
    if (this.#turns % fairEvery === 0) waiting.sort((one, other) => since(one) - since(other));
    return waiting[0] as Band;
  }

  #band(priority: number): Band {
    for (const band of this.#bands) if (band.priority === priority) return band;
    const band = { priority, lanes: [], front: 0 };
    this.#bands.push(band);
    this.#bands.sort((one, other) => other.priority - one.priority);
    return band;
  }
}

function since({ lanes, front }: Band): number {
  return (lanes[front] as Lane).readySince;
}
