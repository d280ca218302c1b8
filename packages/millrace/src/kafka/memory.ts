import type { LogRecord } from "../log/log.js";
import type { BatchCursor } from "./batch-cursor.js";
import type { DecodePlace } from "./decode.js";
import { Run, type Taking } from "./run.js";

/** Small pieces that follow one another are kept as one run. */
const runBytesMax = 256 * 1_024;

/** What is kept of the log in this process, for all its readers: what was used last, up to so many bytes. */
export class Memory {
  readonly #bytesMax: number;
  readonly #partitions = new Map<string, Run[]>();
  /** In the order of their last use. */
  readonly #used = new Set<Run>();
  #bytes = 0;
  /** A run was given up that nobody had read to its end. */
  onUnread: (place: DecodePlace) => void = () => {};

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** Keeps what came of a partition. Where some of it is here already, that is replaced. */
  add(place: DecodePlace, cursor: BatchCursor): void {
    const key = keyOf(place);
    const runs = this.#partitions.get(key) ?? [];
    const last = runs.at(-1);
    this.#bytes += cursor.size;
    if (last !== undefined && last.end === cursor.next && last.bytes < runBytesMax && last.place.id === place.id) {
      last.extend(cursor);
      this.#touch(last);
    } else {
      const run = new Run(place, cursor);
      for (const other of runs) if (other.start < run.end && run.start < other.end) this.#drop(other);
      const left = this.#partitions.get(key) ?? [];
      this.#partitions.set(
        key,
        [...left, run].sort((a, b) => a.start - b.start),
      );
      this.#touch(run);
    }
    this.#evict();
  }

  /** Takes what is here of a partition from an offset on; returns up to where that is complete. */
  take(place: DecodePlace, from: number, taking: Taking): number {
    let next = from;
    while (taking.recordsLeft > 0 && taking.bytesLeft > 0) {
      const run = this.#find(place, next);
      if (run === undefined) break;
      next = run.take(next, taking);
      this.#touch(run);
    }
    return next;
  }

  /** Whether the record at an offset is here, if there is one. */
  has(place: DecodePlace, offset: number): boolean {
    return this.#find(place, offset) !== undefined;
  }

  record(place: DecodePlace, offset: number): LogRecord | undefined {
    return this.#find(place, offset)?.find(offset);
  }

  #find(place: DecodePlace, offset: number): Run | undefined {
    const runs = this.#partitions.get(keyOf(place));
    return runs?.find(({ start, end }) => start <= offset && offset < end);
  }

  #touch(run: Run): void {
    this.#used.delete(run);
    this.#used.add(run);
  }

  #evict(): void {
    for (const run of this.#used) {
      if (this.#bytes <= this.#bytesMax || this.#used.size === 1) return;
      this.#drop(run);
      if (!run.read) this.onUnread(run.place);
    }
  }

  #drop(run: Run): void {
    this.#used.delete(run);
    this.#bytes -= run.bytes;
    const key = keyOf(run.place);
    const left = (this.#partitions.get(key) ?? []).filter((other) => other !== run);
    if (left.length === 0) this.#partitions.delete(key);
    else this.#partitions.set(key, left);
  }
}

function keyOf({ id, partition }: DecodePlace): string {
  return `${id}/${partition}`;
}
