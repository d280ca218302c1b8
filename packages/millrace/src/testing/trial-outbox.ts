import pg from "pg";
import type { NewRecord } from "../log/log.js";
import { installService, installShared, type ServicePlace } from "../postgres/install.js";
import { dayOf } from "../postgres/names.js";
import { PostgresOutbox } from "../postgres/outbox.js";
import { correlationOf, outboxRecord } from "../postgres/outbox-rows.js";
import { makeDay, outboxDays } from "../postgres/partitions.js";
import { type Logger, silentLogger } from "../runtime/logger.js";
import { type TrialDatabase, trialDatabase } from "./trial-database.js";

/** Two services' outboxes in a database of their own, and connections to it. */
export interface TrialOutbox {
  readonly pool: pg.Pool;
  readonly database: TrialDatabase;
  readonly place: ServicePlace;
  outbox(member: string, more?: { readonly leaseMs?: number; readonly logger?: Logger }): PostgresOutbox;
  /** Adds events in the transaction that the connection is in. */
  insert(client: Pick<pg.PoolClient, "query">, records: readonly NewRecord[]): Promise<void>;
  close(): Promise<void>;
}

const shared = "millrace";

/** Undefined when there is no PostgreSQL, after the reason was printed. */
export async function trialOutbox(): Promise<TrialOutbox | undefined> {
  const database = await trialDatabase();
  if (database === undefined) return undefined;
  const pool = new pg.Pool({ connectionString: database.url, max: 40 });
  // The server says goodbye to those that are closing when the database is dropped.
  pool.on("connect", (client) => client.on("error", () => {}));
  const now = Date.now();
  await installShared(pool, shared);
  const place = await installService(pool, shared, { service: "shop", now });
  for (const day of [dayOf(now), dayOf(now) + 1]) await makeDay(pool, place.schema, outboxDays, day);
  return {
    ...{ pool, database, place },
    outbox: (member, { leaseMs = 10_000, logger = silentLogger } = {}) =>
      new PostgresOutbox({ pool, shared, member, leaseMs, logger, onCommitted: () => () => {} }),
    async insert(client, records) {
      const committed = Date.now();
      for (const record of records) {
        const { topic, partition, key, id, source } = record;
        await client.query(
          `INSERT INTO ${place.schema}.mr_outbox(topic, partition, key, id, source, correlation, committed, record)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
          [topic, partition, key, id, source, correlationOf(record), committed, outboxRecord(record)],
        );
      }
    },
    async close() {
      await pool.end();
      await database.drop();
    },
  };
}
