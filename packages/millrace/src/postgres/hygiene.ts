import { isFailure } from "../failure/failure.js";
import { outside } from "../log/log.js";
import type { Clock } from "../runtime/clock.js";
import type { Logger } from "../runtime/logger.js";
import { translated } from "./errors.js";
import { readPlaces, type ServicePlace } from "./install.js";
import { dropInboxDays, dropOutboxDays, emptyInboxFar, makeDaysAhead } from "./old-days.js";
import { type Session, withSession } from "./session.js";
import type { InspectParts } from "./sight.js";
import { sweepDropped } from "./sweep.js";

/** How long things are kept. */
export interface Keeping {
  /** Events that were sent, so that they are found by their id (default one day, and the rest of that day). */
  readonly outboxMs: number;
  /** Which events were handled, in log time: a copy that reaches the log later is not told from a new event (default 30 days). */
  readonly inboxMs: number;
  /** Ids that callers chose (default 30 days). */
  readonly identitiesMs: number;
  /** Finished operations; with an id of the caller's own, as long as the id is (default 7 days). */
  readonly operationsMs: number;
}

const day = 24 * 60 * 60 * 1_000;

export const keepingDefault: Keeping = {
  outboxMs: day,
  inboxMs: 30 * day,
  identitiesMs: 30 * day,
  operationsMs: 7 * day,
};

export interface HygieneParts extends InspectParts {
  readonly keeping: Keeping;
  readonly clock: Clock;
  readonly logger: Logger;
}

const everyMs = { rest: 60_000, more: 1_000 };
const rowsMax = 5_000;
// "tidy" in ASCII: one process at a time removes what is old.
const tidyLock = 0x74696479;

/** Removes what is old and makes what will be needed, a bounded piece at a time. One process of all does. */
export class Hygiene {
  readonly #parts: HygieneParts;
  #cancel: () => void = () => {};
  #turning: Promise<void> = Promise.resolve();
  #closed = false;
  /** Up to where operations were looked at. */
  #seen = { created: -1, operation: "" };

  constructor(parts: HygieneParts) {
    this.#parts = parts;
  }

  /** Takes a turn at once, and one each minute from then on. */
  start(): void {
    this.#later(0);
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#cancel();
    await this.#turning;
  }

  /** One piece of work. True when there is more of it; false also when another process is at it. */
  async turn(): Promise<boolean> {
    // Asked first: a log in the same database takes its connections from the same pool.
    const ends = await this.#ends();
    return translated(() =>
      withSession(this.#parts.pool, async (session) => {
        const [got] = (await session.row("SELECT pg_try_advisory_lock($1, 0)", tidyLock)) as [boolean];
        if (!got) return false;
        try {
          return await this.#tidy(session, ends);
        } finally {
          await session.rows("SELECT pg_advisory_unlock($1, 0)", tidyLock);
        }
      }),
    );
  }

  async #ends(): Promise<ReadonlyMap<string, readonly number[]>> {
    const { log } = this.#parts;
    const ends = new Map<string, readonly number[]>();
    for (const { name } of await log.topics()) ends.set(name, await log.ends(name));
    return ends;
  }

  async #tidy(session: Session, ends: ReadonlyMap<string, readonly number[]>): Promise<boolean> {
    const { shared, clock, keeping } = this.#parts;
    const parts = { ends, clock, keeping };
    const places = await readPlaces(session, shared);
    let more = false;
    for (const place of places) {
      await makeDaysAhead(parts, session, place);
      if (await dropOutboxDays(parts, session, place)) more = true;
      if (await dropInboxDays(parts, session, place)) more = true;
      if (await emptyInboxFar(parts, session, place)) more = true;
      if (await this.#identities(session, place)) more = true;
      if (await sweepDropped(session, place)) more = true;
    }
    return (await this.#operations(session, places)) || more;
  }

  async #identities(session: Session, { schema }: ServicePlace): Promise<boolean> {
    const { clock, keeping } = this.#parts;
    const gone = await session.changes(
      `DELETE FROM ${schema}.mr_identities WHERE ctid = ANY(ARRAY(
         SELECT ctid FROM ${schema}.mr_identities WHERE committed < $1 ORDER BY committed LIMIT ${rowsMax}))`,
      clock.now() - keeping.identitiesMs,
    );
    return gone === rowsMax;
  }

  /** While a command's own id is known, a repeat publishes nothing: only the operation can answer it. */
  async #operations(session: Session, places: readonly ServicePlace[]): Promise<boolean> {
    const { clock, keeping, shared } = this.#parts;
    const before = clock.now() - keeping.operationsMs;
    const rows = await session.objects<{ operation: string; created: number; finished: number | null }>(
      `SELECT operation, created, finished FROM ${shared}.mr_operations
       WHERE created < $1 AND (created, operation) > ($2, $3) ORDER BY created, operation LIMIT ${rowsMax}`,
      before,
      this.#seen.created,
      this.#seen.operation,
    );
    const more = rows.length === rowsMax;
    this.#seen = (more ? rows.at(-1) : undefined) ?? { created: -1, operation: "" };
    const old = rows.filter(({ finished }) => finished !== null && finished < before).map(({ operation }) => operation);
    if (old.length === 0) return more;
    const named =
      places.length === 0
        ? []
        : await session.objects<{ id: string }>(
            places
              .map(({ schema }) => `SELECT id FROM ${schema}.mr_identities WHERE source = $1 AND id = ANY($2::text[])`)
              .join(" UNION ALL "),
            outside,
            old,
          );
    const kept = new Set(named.map(({ id }) => id));
    await session.changes(
      `DELETE FROM ${shared}.mr_operations WHERE operation = ANY($1::text[]) AND finished IS NOT NULL`,
      old.filter((operation) => !kept.has(operation)),
    );
    return more;
  }

  #later(waitMs: number): void {
    if (this.#closed) return;
    this.#cancel = this.#parts.clock.after(waitMs, () => {
      this.#turning = this.turn().then(
        (more) => this.#later(more ? everyMs.more : everyMs.rest),
        (error) => {
          const what = "what is old in PostgreSQL could not be removed; it is tried again in a minute";
          this.#parts.logger.warn(isFailure(error) ? { code: error.code, err: error } : { err: error }, what);
          this.#later(everyMs.rest);
        },
      );
    });
  }
}
