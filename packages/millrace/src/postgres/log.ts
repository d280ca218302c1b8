import type { EngineContext } from "../engine/engine.js";
import type { LogAdapter, OpenLog } from "../engine/halves.js";
import { Failure } from "../failure/failure.js";
import type { Cancel } from "../runtime/clock.js";
import { checkOptions } from "../runtime/options.js";
import { installLog } from "./install.js";
import { appendRecords } from "./log-appender.js";
import { LogBells } from "./log-bells.js";
import { dropOld, writeNotes } from "./log-retention.js";
import { logSchemaDefault, reachable, readsOfLog } from "./log-sight.js";
import { LogTopics } from "./log-topics.js";
import { hearLosses, type PgPool } from "./pool.js";
import { preflight } from "./preflight.js";

/** Where the log is. */
export interface PostgresLogOptions {
  /** A pool of the package `pg` (not `pg.native`). It stays yours: end it after the app has stopped. */
  readonly pool: PgPool;
  /** The schema of its tables (default "millracelog"). */
  readonly schema?: string;
}

const retentionEveryMs = 10 * 60_000;
const firstRetentionMs = 30_000;
const ignore = () => {};

/**
 * A log in tables of PostgreSQL: for teams between one machine and a Kafka cluster.
 *
 * Records are appended by the relay alone, in blocks; offsets are dense. It is meant for thousands of events per second, not
 * for hundreds of thousands.
 *
 * @throws {Failure} OPTION_INVALID
 * @example
 * ```ts no-run
 * import pg from "pg";
 * import { postgresLog } from "millrace/postgres";
 *
 * export const log = postgresLog({ pool: new pg.Pool({ connectionString: "postgres://localhost/shop" }) });
 * ```
 */
export function postgresLog(options: PostgresLogOptions): LogAdapter {
  checkOptions(options, { pool: true, schema: true }, { where: "postgresLog" });
  const { pool, schema = logSchemaDefault } = options;
  if (typeof pool?.connect !== "function")
    throw new Failure("OPTION_INVALID", "postgresLog: pool takes a pool of the package pg", {
      details: { option: "pool" },
    });
  if (!/^[a-z][a-z0-9_]{0,39}$/.test(schema) || schema.startsWith("pg_"))
    throw new Failure(
      "OPTION_INVALID",
      'postgresLog: schema takes lower-case letters, digits and "_", at most 40 of them',
      {
        details: { option: "schema" },
      },
    );
  return { name: "postgres", open: (context) => openLog({ pool, schema }, context) };
}

async function openLog(
  { pool, schema }: Required<PostgresLogOptions>,
  { clock, logger }: EngineContext,
): Promise<OpenLog> {
  const deafen = hearLosses(pool);
  const topics = new LogTopics(pool, schema);
  const at = { pool, schema, topics };
  const reads = readsOfLog(at);
  const bells = new LogBells({ pool, schema, clock, logger });
  // While no connection is kept: the probe takes two.
  const risks = await reachable(() => preflight(pool, schema, "log"));
  await reachable(() => installLog(pool, schema));
  await reachable(() => bells.open());
  let cancel: Cancel = ignore;
  const retention = (ms: number): void => {
    cancel = clock.after(ms, () => {
      dropOld(pool, schema)
        .catch((error: unknown) =>
          logger.warn({ err: error }, "old records of the log could not be removed; tried again"),
        )
        .finally(() => retention(retentionEveryMs));
    });
  };
  retention(firstRetentionMs);
  let closed = false;
  return {
    ...reads,
    read(request) {
      bells.reads(request.topic);
      return reads.read(request);
    },
    async append(records) {
      bells.ring(await reachable(() => appendRecords(at, records)));
    },
    ensureTopic: (topic) => reachable(() => topics.ensure(topic)),
    onAppended: (heard) => bells.onAppended(heard),
    note(consumer, positions) {
      writeNotes(at, consumer, positions).catch((error: unknown) =>
        logger.debug({ err: error }, "the log was not told how far a consumer has come"),
      );
    },
    preflight: async () => risks,
    async close() {
      if (closed) return;
      closed = true;
      cancel();
      bells.close();
      deafen();
    },
  };
}
