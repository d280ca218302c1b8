import type { RecordPlace } from "../log/log.js";
import { textHash } from "../runtime/mix.js";
import { amendedAs } from "../store/builds.js";
import { plainArray } from "./arrays.js";
import type { Session } from "./session.js";

/**
 * Locks on what has no row: lanes, documents and streams that do not exist yet, values of unique indexes, names. They are
 * PostgreSQL's advisory locks of a transaction, by a hash of 64 bits, and always taken in the order of their hashes.
 */
export class Locks {
  readonly #byName = new Map<string, boolean>();

  get size(): number {
    return this.#byName.size;
  }

  share(name: string): void {
    if (!this.#byName.has(name)) this.#byName.set(name, false);
  }

  alone(name: string): void {
    this.#byName.set(name, true);
  }

  /** Two words of each hash, and whether it is taken alone; in order. */
  columns(): readonly [high: string, low: string, alone: string] {
    const all = [...this.#byName].map(([name, alone]) => {
      const [high, low] = textHash(name);
      return { high: high | 0, low: low | 0, alone };
    });
    all.sort((a, b) => a.high - b.high || a.low - b.low || Number(b.alone) - Number(a.alone));
    return [
      plainArray(all.map(({ high }) => high)),
      plainArray(all.map(({ low }) => low)),
      plainArray(all.map(({ alone }) => alone)),
    ];
  }

  /** Takes them all, in the transaction under way. */
  async take(session: Session): Promise<void> {
    if (this.size > 0) await session.rows(`SELECT ${takeLocks}`, ...this.columns());
  }
}

/** Takes the locks of three arrays of parameters, as {@link Locks.columns} has them. */
export const takeLocks = `(SELECT count(CASE WHEN alone THEN pg_advisory_xact_lock(high, low)
    ELSE pg_advisory_xact_lock_shared(high, low) END)
  FROM unnest($1::int[], $2::int[], $3::bool[]) AS l(high, low, alone))`;

/** Lanes of a consumer, and events of a view, share so many locks: a group never takes more of them. */
const lanesApart = 64;

/** The lock of a lane: shared by what runs past it, taken alone by what adds, changes or removes entries. */
export function laneLock(consumer: string, lane: string): string {
  return `lane/${consumer}/${textHash(lane)[0] % lanesApart}`;
}

/** The lock of what becomes of an event in the builds of a view: taken by those who amend it, and who give up on it. */
export function amendmentLock(consumer: string, { topic, partition, offset }: RecordPlace): string {
  const view = amendedAs(consumer);
  return `amendment/${view}/${textHash(`${topic}/${partition}/${offset}`)[0] % lanesApart}`;
}

/** The lock of a document that does not exist. */
export function absentLock(service: string, type: string, id: string): string {
  return `document/${service}/${type}/${id}`;
}
