import type { EngineContext, OpenEngine } from "../engine/engine.js";
import type { LogAdapter, SeenLog } from "../engine/halves.js";
import { Failure, isFailure } from "../failure/failure.js";
import { engine } from "../outbox/engine.js";
import type { Duration } from "../runtime/duration.js";
import type { KafkaAddress, PostgresAddress } from "./server-address.js";

/** What an engine is made of. Without a log of its own, the store's database has it. */
export interface EngineHalves {
  readonly log: KafkaAddress | PostgresAddress | undefined;
  readonly store: PostgresAddress;
}

/** Clients of the servers, and the log half over one of them. */
export interface Servers {
  readonly pool: Pool;
  readonly log: LogAdapter;
  /** The log, only to be read. */
  seenLog(context: EngineContext): Promise<SeenLog & { close?(): Promise<void> }>;
  /** Ends what was made for them. */
  end(): Promise<void>;
}

/**
 * Loads the clients that are needed.
 *
 * `patience` is how long brokers that cannot be reached are waited for.
 *
 * @throws {Failure} PEER_MISSING when a package is not installed.
 */
export async function openServers({ log, store }: EngineHalves, patience?: Duration): Promise<Servers> {
  const pool = await poolOf(store);
  const pools = [pool];
  try {
    if (log?.type === "kafka") {
      const adapter = await kafka(log, patience);
      return { pool, log: adapter, seenLog: (context) => adapter.open(context), end: () => end(pools) };
    }
    const [{ postgresLog }, { seenLog }] = [
      await import("../postgres/log.js"),
      await import("../postgres/log-sight.js"),
    ];
    const ownPool = log === undefined || log.url === store.url ? pool : await poolOf(log);
    if (ownPool !== pool) pools.push(ownPool);
    const at = { pool: ownPool, ...(log?.schema !== undefined && { schema: log.schema }) };
    return { pool, log: postgresLog(at), seenLog: async () => seenLog(at), end: () => end(pools) };
  } catch (error) {
    await end(pools);
    throw error;
  }
}

/** Loads the clients that are needed, and opens both halves. What was made for it ends with it. */
export async function openHalves(halves: EngineHalves, context: EngineContext): Promise<OpenEngine> {
  const { pool, log, end: endServers } = await openServers(halves);
  try {
    const { postgresStore } = await import("../postgres/postgres-store.js");
    const { schema } = halves.store;
    const store = postgresStore({ pool, ...(schema !== undefined && { schema }) });
    const opened = await engine({
      log: { ...log, open: (given) => sayingWhere(halves.log ?? halves.store, () => log.open(given)) },
      store: { ...store, open: (given, opened) => sayingWhere(halves.store, () => store.open(given, opened)) },
    }).open(context);
    return ending(opened, endServers);
  } catch (error) {
    await endServers();
    throw error;
  }
}

/** What fails because a server cannot be used says which setting has led there. */
export async function sayingWhere<T>(address: KafkaAddress | PostgresAddress, open: () => Promise<T>): Promise<T> {
  try {
    return await open();
  } catch (error) {
    if (!isFailure(error) || !["STORE_UNAVAILABLE", "LOG_UNAVAILABLE"].includes(error.code)) throw error;
    throw new Failure(
      error.code,
      `${error.message}. ${placeText(address)}: see that this is right, and that the server runs and can be reached from here`,
      { cause: error },
    );
  }
}

function placeText(address: KafkaAddress | PostgresAddress): string {
  // A broker that wants TLS, or a user, closes the connections of those who come without.
  if (address.type === "kafka")
    return `MILLRACE_LOG names ${address.brokers.join(", ")}, ${address.tls ? "with" : "without"} TLS, ${address.sasl === undefined ? "without a user" : `as a user of ${address.sasl.mechanism}`}`;
  const { host, pathname } = new URL(address.url);
  return `${address.variable} names ${host === "" ? "no host" : host}, database ${decodeURIComponent(pathname.slice(1))}`;
}

type Pool = import("pg").Pool;

async function poolOf({ url, poolMax }: PostgresAddress): Promise<Pool> {
  const { default: pg } = await peer("pg", () => import("pg"));
  return new pg.Pool({
    connectionString: url,
    max: poolMax,
    application_name: "millrace",
    keepAlive: true,
    connectionTimeoutMillis: 10_000,
  });
}

async function kafka(address: KafkaAddress, patience: Duration | undefined): Promise<LogAdapter> {
  const { kafkaLog } = await peer("@platformatic/kafka", () => import("../kafka/kafka.js"));
  const { brokers, tls, sasl, prefix, replicationFactor, minInsyncReplicas, compression } = address;
  return kafkaLog({
    client: {
      bootstrapBrokers: [...brokers],
      ...(tls && { tls: {} }),
      ...(sasl !== undefined && { sasl: sasl as never }),
    },
    ...(prefix !== undefined && { prefix }),
    ...(patience !== undefined && { patience }),
    ...(replicationFactor !== undefined && { replicationFactor }),
    ...(minInsyncReplicas !== undefined && { minInsyncReplicas }),
    ...(compression !== undefined && { compression: compression as never }),
  });
}

/** @throws {Failure} PEER_MISSING when the package is not installed. */
async function peer<T>(name: string, load: () => Promise<T>): Promise<T> {
  try {
    return await load();
  } catch (error) {
    const { code, message } = error as { code?: unknown; message?: string };
    if (code !== "ERR_MODULE_NOT_FOUND" || message?.includes(`'${name}'`) !== true) throw error;
    throw new Failure(
      "PEER_MISSING",
      `the engine of this environment needs the package ${name}; run: npm install ${name}`,
      {
        cause: error,
        details: { package: name },
      },
    );
  }
}

/** The same engine, and something that ends after it. */
function ending(opened: OpenEngine, after: () => Promise<void>): OpenEngine {
  const close = opened.close.bind(opened);
  return Object.assign(opened, {
    async close() {
      await close();
      await after();
    },
  });
}

async function end(pools: readonly Pool[]): Promise<void> {
  for (const pool of pools) await pool.end().catch(() => {});
}
