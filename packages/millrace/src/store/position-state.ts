import type { Position, Range } from "./unit.js";

/**
 * A position as the commit keeps it: what is below `frontier` or inside `ranges` is done. Changes are staged for the
 * group under way and undone when the transaction is.
 */
export class PositionState<Of extends Pick<Position, "frontier" | "finished"> = Position> {
  frontier: number;
  ranges: Range[];
  #staged: { readonly frontier: number; readonly ranges: Range[] } | undefined;

  constructor(readonly position: Of) {
    this.frontier = position.frontier;
    this.ranges = [...position.finished];
  }

  has(offset: number): boolean {
    if (offset < this.frontier) return true;
    for (const [start, end] of this.ranges) {
      if (offset < start) return false;
      if (offset < end) return true;
    }
    return false;
  }

  /** Marks [start, end) as done. Returns true when this is the group's first change to the position. */
  finish(start: number, end: number): boolean {
    const first = this.#staged === undefined;
    if (first) this.#staged = { frontier: this.frontier, ranges: this.ranges.slice() };
    if (start <= this.frontier) {
      if (end > this.frontier) this.frontier = end;
      this.#absorb();
    } else {
      this.#insert(start, end);
    }
    return first;
  }

  /** The transaction is on disk. */
  keep(): void {
    this.#staged = undefined;
  }

  /** The transaction was undone. */
  undo(): void {
    if (this.#staged === undefined) return;
    this.frontier = this.#staged.frontier;
    this.ranges = this.#staged.ranges;
    this.#staged = undefined;
  }

  #absorb(): void {
    let head = this.ranges[0];
    while (head !== undefined && head[0] <= this.frontier) {
      if (head[1] > this.frontier) this.frontier = head[1];
      this.ranges.shift();
      head = this.ranges[0];
    }
  }

  #insert(start: number, end: number): void {
    const { ranges } = this;
    // New work finishes near the end far more often than in the middle.
    let after = ranges.length;
    while (after > 0 && (ranges[after - 1] as Range)[0] > start) after -= 1;
    let low = start;
    let high = end;
    let from = after;
    const before = ranges[after - 1];
    if (before !== undefined && before[1] >= start) {
      from = after - 1;
      low = before[0];
      high = Math.max(high, before[1]);
    }
    let to = after;
    for (let next = ranges[to]; next !== undefined && next[0] <= high; next = ranges[to]) {
      high = Math.max(high, next[1]);
      to += 1;
    }
    ranges.splice(from, to - from, [low, high]);
  }
}
