import type { StoredDocument } from "../store/store.js";
import { readDocuments } from "./document-finds.js";
import { isDataError } from "./errors.js";
import type { Place } from "./places.js";
import type { PgPool } from "./pool.js";
import { withSession } from "./session.js";

/** Statements that are under way at a time for one service, and how many documents one of them reads. */
const underWayMax = 2;
const togetherMax = 500;

/** A document that is waited for. */
interface Lookup {
  readonly type: string;
  readonly id: string;
  found(document: StoredDocument | undefined): void;
  failed(error: unknown): void;
}

interface Waiting {
  lookups: Lookup[];
  underWay: number;
}

/**
 * Documents that are asked for one by one are read together: what comes in the same turn, or while others are read, goes with
 * one statement. Each is as it is committed when it is asked for, or later.
 */
export class DocumentLookups {
  readonly #pool: PgPool;
  readonly #waiting = new Map<Place, Waiting>();

  constructor(pool: PgPool) {
    this.#pool = pool;
  }

  read(place: Place, { type, id }: Pick<Lookup, "type" | "id">): Promise<StoredDocument | undefined> {
    return new Promise((found, failed) => {
      const waiting = this.#of(place);
      waiting.lookups.push({ type, id, found, failed });
      // Whoever asks in the same turn comes along.
      if (waiting.lookups.length === 1) queueMicrotask(() => this.#next(place, waiting));
    });
  }

  #of(place: Place): Waiting {
    const known = this.#waiting.get(place);
    if (known !== undefined) return known;
    const made = { lookups: [], underWay: 0 };
    this.#waiting.set(place, made);
    return made;
  }

  #next(place: Place, waiting: Waiting): void {
    if (waiting.underWay === underWayMax || waiting.lookups.length === 0) return;
    waiting.underWay += 1;
    void this.#look(place, waiting.lookups.splice(0, togetherMax)).then(() => {
      waiting.underWay -= 1;
      this.#next(place, waiting);
    });
  }

  async #look(place: Place, lookups: readonly Lookup[]): Promise<void> {
    try {
      const found = await withSession(this.#pool, (session) => readDocuments(session, place, lookups));
      lookups.forEach((lookup, n) => {
        lookup.found(found[n]);
      });
    } catch (error) {
      // An id that PostgreSQL does not take is the trouble of whoever asked for it alone.
      if (lookups.length > 1 && isDataError(error)) for (const lookup of lookups) await this.#look(place, [lookup]);
      else for (const { failed } of lookups) failed(error);
    }
  }
}
