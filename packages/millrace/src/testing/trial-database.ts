import { randomBytes } from "node:crypto";
import pg from "pg";
import { type TrialServers, trialServers } from "./trial-services.js";

/** An empty PostgreSQL database of a test file's own, in a server that others share. */
export interface TrialDatabase {
  /** `postgres://user:password@host:port/database` */
  readonly url: string;
  /** Drops it, whoever is still connected. */
  drop(): Promise<void>;
}

/** Makes one; undefined when there is no PostgreSQL, after the reason was printed. */
export async function trialDatabase(servers?: TrialServers): Promise<TrialDatabase | undefined> {
  const found = servers ?? (await trialServers("postgres"));
  if (found === undefined) return undefined;
  const name = `trial_${randomBytes(6).toString("hex")}`;
  const url = new URL(found.address);
  url.pathname = `/${name}`;
  await run(found.address, `CREATE DATABASE ${name}`);
  const drop = async () => {
    await run(found.address, goodbye(name));
    await run(found.address, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
  };
  return { url: url.href, drop };
}

/** Clients that have said goodbye may still be going: one that is cut off then fails where nobody listens any more. */
function goodbye(name: string): string {
  return `DO $$ BEGIN FOR n IN 1..40 LOOP
    EXIT WHEN NOT EXISTS (SELECT 1 FROM pg_stat_activity WHERE datname = '${name}');
    PERFORM pg_sleep(0.05), pg_stat_clear_snapshot();
  END LOOP; END $$`;
}

async function run(address: string, statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: address });
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}
