import type { EngineContext } from "../engine/engine.js";
import type { OpenLog, OpenStore, StoreAdapter } from "../engine/halves.js";
import { Failure } from "../failure/failure.js";
import { systemClock } from "../runtime/clock.js";
import { type Duration, durationMs } from "../runtime/duration.js";
import { uuidv7 } from "../runtime/ids.js";
import { checkOptions } from "../runtime/options.js";
import type { OperateParts } from "./acting.js";
import { Core } from "./core.js";
import { DatabaseClock } from "./database-clock.js";
import { translated } from "./errors.js";
import { Hygiene, type Keeping, keepingDefault } from "./hygiene.js";
import { createInspect } from "./inspect.js";
import { dueJobs } from "./job-ladder.js";
import { leaseMs } from "./members.js";
import { checkSchemaName, sharedSchemaDefault } from "./names.js";
import { createOperate } from "./operate.js";
import { PostgresOutbox } from "./outbox.js";
import type { PgPool } from "./pool.js";
import { preflight } from "./preflight.js";
import { look } from "./sight.js";
import { UserOutbox } from "./user-outbox.js";

/** How long the store keeps what is done. */
export interface PostgresKeep {
  /** Events that were sent (default "1d"): they are found by their ids without a search of the log. */
  readonly outbox?: Duration;
  /** Which events were handled, in log time (default "30d"): a copy that comes later is not known as one. */
  readonly inbox?: Duration;
  /** Ids that callers chose (default "30d"). */
  readonly identities?: Duration;
  /** Finished operations (default "7d"). */
  readonly operations?: Duration;
}

/** Where the state is, and how it is kept. */
export interface PostgresStoreOptions {
  /** A pool of the package `pg` (not `pg.native`), of four connections at least. It stays yours: end it after the app has stopped. */
  readonly pool: PgPool;
  /** The schema that all services share, and the beginning of their own schemas' names (default "millrace"). */
  readonly schema?: string;
  readonly keep?: PostgresKeep;
}

/**
 * The state of services in PostgreSQL 14 or later: a schema for each service, made and brought up to date when the app starts.
 *
 * @throws {Failure} OPTION_INVALID
 * @example
 * ```ts no-run
 * import pg from "pg";
 * import { engine, millrace, service } from "millrace";
 * import { postgresLog, postgresStore } from "millrace/postgres";
 *
 * const pool = new pg.Pool({ connectionString: "postgres://localhost/shop" });
 * export const app = millrace({
 *   services: [service("orders")],
 *   engine: engine({ log: postgresLog({ pool }), store: postgresStore({ pool }) }),
 * });
 * ```
 */
export function postgresStore(options: PostgresStoreOptions): StoreAdapter {
  checkOptions(options, { pool: true, schema: true, keep: true }, { where: "postgresStore" });
  const { pool, schema = sharedSchemaDefault, keep = {} } = options;
  if (typeof pool?.connect !== "function")
    throw new Failure("OPTION_INVALID", "postgresStore: pool takes a pool of the package pg", {
      details: { option: "pool" },
    });
  const parts = { pool, shared: checkSchemaName(schema), keeping: keepingOf(keep) };
  return { name: "postgres", open: (context, log) => openStore(parts, context, log) };
}

function keepingOf(keep: PostgresKeep): Keeping {
  checkOptions(
    keep,
    { outbox: true, inbox: true, identities: true, operations: true },
    { where: "postgresStore, keep" },
  );
  const ms = (name: keyof PostgresKeep, otherwise: number) => {
    const given = keep[name];
    return given === undefined ? otherwise : durationMs(given, `keep.${name}`);
  };
  return {
    outboxMs: ms("outbox", keepingDefault.outboxMs),
    inboxMs: ms("inbox", keepingDefault.inboxMs),
    identitiesMs: ms("identities", keepingDefault.identitiesMs),
    operationsMs: ms("operations", keepingDefault.operationsMs),
  };
}

interface StoreParts {
  readonly pool: PgPool;
  readonly shared: string;
  readonly keeping: Keeping;
}

async function openStore(
  { pool, shared, keeping }: StoreParts,
  given: EngineContext,
  log: OpenLog,
): Promise<OpenStore> {
  const { logger, random } = given;
  // A clock of the user's own, like that of a test, stays what it is.
  const theirs = given.clock === systemClock ? new DatabaseClock(given.clock, logger) : undefined;
  const clock = theirs ?? given.clock;
  const context = { ...given, clock };
  const reads = { pool, shared, log, now: () => clock.now() };
  const member = `${process.pid}/${uuidv7(random).next(clock.now())}`;
  const jobs = () => translated(() => look(reads, dueJobs));
  const core = new Core({
    ...{ pool, shared, context, member, inboxWindowMs: keeping.inboxMs, dueJobs: jobs },
    timed: (at, asked) => theirs?.heard(at, asked),
  });
  await core.open();
  const left = (shards: readonly string[]) => {
    core.committed.tell(shards);
    core.ring({ shards });
  };
  const acting: OperateParts = { ...reads, ring: (change) => core.ring({ change }), left };
  const hygiene = new Hygiene({ ...reads, keeping, clock, logger });
  hygiene.start();
  const { places, topics } = core;
  const users = new UserOutbox({ pool, places, topics, clock, ring: (shard) => left([shard]) });
  return {
    clock,
    store: core.store,
    // Whether this machine's own clock is right is for people to see.
    inspect: createInspect({ ...acting, now: () => given.clock.now() }),
    operate: createOperate(acting),
    outbox: new PostgresOutbox({
      ...{ pool, shared, member, leaseMs, logger },
      onCommitted: (heard) => core.committed.add(heard),
    }),
    publishIn: (transaction, records) => users.publish(transaction, records),
    ensureTopic: (topic) => core.topics.ensure(topic),
    topics: () => core.topics.all(),
    onHandled: (heard) => core.handled.add(heard),
    onChanged: (heard) => core.changed.add(heard),
    preflight: () => preflight(pool, shared, "store"),
    async close() {
      await hygiene.close();
      await core.close();
    },
  };
}
