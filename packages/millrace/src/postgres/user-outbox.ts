import type { Transaction } from "../engine/engine.js";
import { Failure } from "../failure/failure.js";
import type { NewRecord } from "../log/log.js";
import type { Clock } from "../runtime/clock.js";
import { contentDigest, idReused } from "../store/identity.js";
import { writtenTextArray } from "./arrays.js";
import { sqlState, translated } from "./errors.js";
import { dayOf } from "./names.js";
import { outboxColumns, outboxText } from "./outbox-rows.js";
import { makeDay, outboxDays } from "./partitions.js";
import type { Place, Places } from "./places.js";
import type { PgPool } from "./pool.js";
import type { Topics } from "./topics.js";

/** What publishing in a user's transaction needs of the store. */
export interface UserOutboxParts {
  readonly pool: PgPool;
  readonly places: Places;
  readonly topics: Topics;
  readonly clock: Clock;
  /** A service's shard may hold new events now. */
  ring(shard: string): void;
}

/** How long after a publish the relay looks: the user's commit is not heard of. */
const ringAfterMs = [20, 200];

/** Leaves events in the outbox in transactions of the user's own: what is rolled back was never published. */
export class UserOutbox {
  readonly #parts: UserOutboxParts;
  readonly #days = new Set<string>();
  readonly #ringing = new Set<string>();

  constructor(parts: UserOutboxParts) {
    this.#parts = parts;
  }

  /**
   * @throws {Failure} EVENT_ID_REUSED when an id of the caller's own is stored with other content; OPTION_INVALID when it is no
   * transaction of this database; CONFLICT when it has failed before.
   */
  async publish(transaction: Transaction, records: readonly NewRecord[]): Promise<void> {
    const [first] = records;
    if (first === undefined) return;
    await assertWithin(transaction);
    const place = await this.#placeOf(first.topic);
    await this.#makeDay(place);
    await within(place, async () => {
      const fresh = await this.#fresh(transaction, place, records);
      if (fresh.length > 0) await insert(transaction, place, fresh);
    });
    this.#ringSoon(place.service);
  }

  /** As a commit does: events belong to the service that owns the first one's topic. */
  async #placeOf(topic: string): Promise<Place> {
    const { topics, places } = this.#parts;
    const shape = await topics.find(topic);
    if (shape === undefined) throw new Failure("NOT_FOUND", `topic ${topic} is not known; start the app first`);
    return places.of(shape.owner);
  }

  /** In a transaction of its own: a partition that the user rolls back would be missed. */
  async #makeDay(place: Place): Promise<void> {
    const today = dayOf(this.#parts.clock.now());
    // The database's clock decides which one is used, and may be on the other side of midnight.
    for (const day of [today - 1, today, today + 1]) {
      const name = `${place.schema} ${day}`;
      if (this.#days.has(name)) continue;
      await translated(() => makeDay(this.#parts.pool, place.schema, outboxDays, day));
      this.#days.add(name);
    }
  }

  /** Without those that are stored already under an id of the caller's own. */
  async #fresh(
    transaction: Transaction,
    { schema }: Place,
    records: readonly NewRecord[],
  ): Promise<readonly NewRecord[]> {
    const named = records.filter((record) => record.named);
    if (named.length === 0) return records;
    const made = await rowsOf(
      transaction,
      `INSERT INTO ${schema}.mr_identities(source, id, digest, committed)
       SELECT source, id, digest, ${committed}
       FROM unnest($1::text[], $2::text[], $3::text[]) AS w(source, id, digest) ON CONFLICT DO NOTHING RETURNING source, id`,
      [named.map(({ source }) => source), named.map(({ id }) => id), named.map(contentDigest)],
    );
    const isNew = ({ source, id }: NewRecord) => made.some((row) => row.source === source && row.id === id);
    for (const record of named.filter((one) => !isNew(one))) {
      const [stored] = await rowsOf(
        transaction,
        `SELECT digest FROM ${schema}.mr_identities WHERE source = $1 AND id = $2`,
        [record.source, record.id],
      );
      if (stored?.digest !== contentDigest(record)) throw idReused(record);
    }
    return records.filter((record) => !record.named || isNew(record));
  }

  #ringSoon(shard: string): void {
    if (this.#ringing.has(shard)) return;
    this.#ringing.add(shard);
    const { clock, ring } = this.#parts;
    for (const ms of ringAfterMs) clock.after(ms, () => ring(shard));
    clock.after(ringAfterMs[0] as number, () => this.#ringing.delete(shard));
  }
}

/** What clients and pools of `pg` tell of themselves. */
interface Telling {
  readonly idleCount?: unknown;
  getTransactionStatus?(): unknown;
}

/** Outside of a transaction, the events would be published at once, whatever becomes of the user's own rows. */
async function assertWithin(transaction: Transaction): Promise<void> {
  const telling = transaction as Telling;
  const isIdle = () => telling.getTransactionStatus?.() === "I";
  // BEGIN may be on its way: what is asked behind it is answered behind it.
  if (isIdle()) await transaction.query("SELECT 1", []);
  if (telling.idleCount === undefined && !isIdle()) return;
  const what = telling.idleCount === undefined ? "a client that is in no transaction" : "a pool, not a client of it";
  throw new Failure(
    "OPTION_INVALID",
    `app.outbox: takes a client of pg in a transaction, and was given ${what}; await client.query("BEGIN") on a client of pool.connect() first`,
    { details: { option: "transaction" } },
  );
}

/** As {@link translated}, of statements in the user's own transaction. */
async function within(place: Place, work: () => Promise<void>): Promise<void> {
  try {
    await translated(work);
  } catch (error) {
    const state = sqlState((error as Error).cause);
    if (state === "25P02")
      throw new Failure(
        "CONFLICT",
        "app.outbox: the transaction has failed at a statement before, and takes no more: ROLLBACK, and begin again",
        { cause: error },
      );
    // undefined_table, invalid_schema_name
    if (state === "42P01" || state === "3F000")
      throw new Failure(
        "OPTION_INVALID",
        `app.outbox: the transaction is in a database that has no ${place.schema}.mr_outbox: it must be one of the database of the store`,
        { cause: error, details: { option: "transaction" } },
      );
    throw error;
  }
}

/** The database's time, in ms. */
const committed = "(extract(epoch FROM clock_timestamp()) * 1000)::bigint";

/** In the order of the list: numbers are handed out row by row, behind the locks that the user's transaction holds. */
async function insert(transaction: Transaction, { schema }: Place, records: readonly NewRecord[]): Promise<void> {
  // Whatever the user's client makes of other values, it sends texts.
  await rowsOf(
    transaction,
    outboxText({ first: 1, committed }).replace("$schema", () => schema),
    outboxColumns(records, writtenTextArray),
  );
}

/** Each placeholder stands once, in rising order, so that builders of queries can put their own in their places. */
async function rowsOf(
  transaction: Transaction,
  text: string,
  values: unknown[],
): Promise<readonly Readonly<Record<string, unknown>>[]> {
  const result = (await transaction.query(text, values)) as {
    readonly rows?: readonly Record<string, unknown>[];
  } | null;
  return result?.rows ?? [];
}
