import { resolve } from "node:path";
import { embedded } from "../embedded/embedded.js";
import type { Engine, EngineContext, OpenEngine } from "../engine/engine.js";
import { Failure } from "../failure/failure.js";
import { type EngineHalves, openHalves } from "./engine-halves.js";
import { type KafkaAddress, kafkaAddress, type PostgresAddress, postgresAddress } from "./server-address.js";

/** What {@link engineFromEnv} reads. */
export type EngineEnvironment = Readonly<Record<string, string | undefined>>;

/**
 * The engine that the environment names, so that one program runs on a laptop and on a cluster.
 *
 * - Nothing set: the embedded engine, in `MILLRACE_DIR` (default `./.millrace`).
 * - `MILLRACE_STORE=postgres://user:password@host/database`: PostgreSQL as log and store.
 * - `MILLRACE_LOG=kafka://host:9092,host2:9092`, too: Kafka as the log.
 * - `MILLRACE_ACCEPT_RISK=name,name`: what preflight is not to refuse the start for.
 *
 * The clients of the servers are loaded when the app starts, and only those that are needed: `npm install pg @platformatic/kafka`.
 *
 * @throws {Failure} OPTION_INVALID when a variable has a value that cannot be used, or another is missing; PEER_MISSING, when the
 * app starts, when a package is not installed.
 * @example
 * ```ts
 * import { engineFromEnv, millrace, service } from "millrace";
 *
 * export const app = millrace({ services: [service("orders")], engine: engineFromEnv() });
 * ```
 */
export function engineFromEnv(env: EngineEnvironment = process.env): Engine {
  const dir = env.MILLRACE_DIR?.trim() || undefined;
  const halves = halvesFromEnv(env);
  if (halves === undefined) return embedded(dir);
  const acceptRisks = (env.MILLRACE_ACCEPT_RISK ?? "")
    .split(",")
    .map((name) => name.trim())
    .filter((name) => name !== "");
  return {
    name: engineName(halves),
    dir: resolve(dir ?? "./.millrace"),
    open: (context: EngineContext): Promise<OpenEngine> =>
      openHalves(halves, { ...context, acceptRisks: [...acceptRisks, ...(context.acceptRisks ?? [])] }),
  };
}

/**
 * The servers that the environment names; undefined when it names none.
 *
 * @throws {Failure} OPTION_INVALID
 */
export function halvesFromEnv(env: EngineEnvironment): EngineHalves | undefined {
  const [log, store] = ["MILLRACE_LOG", "MILLRACE_STORE"].map((name) => env[name]?.trim() || undefined);
  if (log === undefined && store === undefined) return undefined;
  if (store === undefined)
    throw invalid(
      "MILLRACE_STORE",
      `is missing: MILLRACE_LOG names the log alone. Set MILLRACE_STORE=postgres://user:password@host/database, too, or neither`,
    );
  return { log: log === undefined ? undefined : logAddress(log), store: postgresAddress("MILLRACE_STORE", store) };
}

/** `kafka+postgres`, or `postgres` for both halves. */
export function engineName({ log }: EngineHalves): string {
  return log?.type === "kafka" ? "kafka+postgres" : "postgres";
}

function logAddress(url: string): KafkaAddress | PostgresAddress {
  if (/^postgres(ql)?:/i.test(url)) return postgresAddress("MILLRACE_LOG", url);
  if (/^kafka:/i.test(url)) return kafkaAddress(url);
  throw invalid(
    "MILLRACE_LOG",
    `begins with neither kafka:// nor postgres://; write it like kafka://host:9092,host2:9092 or postgres://user:password@host/database`,
  );
}

/** The value may hold a password: it is not repeated. */
function invalid(variable: string, why: string): Failure {
  return new Failure("OPTION_INVALID", `${variable} ${why}`, { details: { option: variable } });
}
