import { randomBytes } from "node:crypto";
import pg from "pg";
import { openServices } from "tools/services";

const postgresVariable = "MILLRACE_TEST_POSTGRES";
const kafkaVariable = "MILLRACE_TEST_KAFKA";

/** Runs `work` beside real servers, whose addresses its trials find in the environment. */
export async function withServers<T>(kinds: readonly ("postgres" | "kafka")[], work: () => Promise<T>): Promise<T> {
  const services = openServices();
  // Servers that were given stay known; those of this run alone do not outlive it.
  const given = [postgresVariable, kafkaVariable].map((name) => [name, process.env[name]] as const);
  try {
    if (kinds.includes("postgres")) process.env[postgresVariable] = (await services.postgres()).address;
    if (kinds.includes("kafka")) process.env[kafkaVariable] = (await services.kafka()).address;
    return await work();
  } finally {
    await services.close();
    for (const [name, address] of given)
      if (address === undefined) delete process.env[name];
      else process.env[name] = address;
  }
}

/** The brokers of the run. */
export const brokers = (): string[] => (process.env[kafkaVariable] ?? "").split(",");

/** A database of a round's own. */
export interface RoundDatabase {
  readonly url: string;
  readonly pool: pg.Pool;
  drop(): Promise<void>;
}

/** Makes an empty database. */
export async function roundDatabase(): Promise<RoundDatabase> {
  const server = process.env[postgresVariable] ?? "";
  const name = `bench_${randomBytes(6).toString("hex")}`;
  await statement(server, `CREATE DATABASE ${name}`);
  const url = new URL(server);
  url.pathname = `/${name}`;
  const pool = new pg.Pool({ connectionString: url.href, max: 16 });
  // The server says goodbye to those that are closing when the database is dropped.
  pool.on("error", () => {});
  pool.on("connect", (client) => client.on("error", () => {}));
  return {
    url: url.href,
    pool,
    async drop() {
      await pool.end();
      await statement(server, `DROP DATABASE ${name} WITH (FORCE)`);
    },
  };
}

async function statement(url: string, text: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await client.query(text);
  await client.end();
}
