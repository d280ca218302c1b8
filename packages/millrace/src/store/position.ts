import type { Position, Range } from "./unit.js";

/** Below the frontier, or in a finished range; ranges rise, so that bisection finds it. */
export function isDone({ frontier, finished }: Pick<Position, "frontier" | "finished">, offset: number): boolean {
  if (offset < frontier) return true;
  let low = 0;
  let high = finished.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((finished[middle] as Range)[1] <= offset) low = middle + 1;
    else high = middle;
  }
  const range = finished[low];
  return range !== undefined && range[0] <= offset;
}
