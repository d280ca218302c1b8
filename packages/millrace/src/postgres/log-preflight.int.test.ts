import pg from "pg";
import { afterAll, describe, expect, it } from "vitest";
import { engine } from "../outbox/engine.js";
import { systemClock } from "../runtime/clock.js";
import { silentLogger } from "../runtime/logger.js";
import { systemRandom } from "../runtime/random.js";
import { trialDatabase } from "../testing/trial-database.js";
import { trialServers } from "../testing/trial-services.js";
import { trialPool } from "../testing/trial-store.js";
import { postgresLog } from "./log.js";
import type { PgPool } from "./pool.js";
import { postgresStore } from "./postgres-store.js";
import { connections, TransactionPool } from "./trial-proxy.js";

const server = await trialServers("postgres", "own");
const database = server === undefined ? undefined : await trialDatabase(server);
const context = { clock: systemClock, random: systemRandom, logger: silentLogger };

const poolOf = (options = "", url = database?.url) => trialPool(url ?? "", { max: 12, options });

/** What an engine is told by the log that it opens. */
async function found(pool: PgPool): Promise<Record<string, string>> {
  const log = await postgresLog({ pool }).open(context);
  try {
    return Object.fromEntries((await log.preflight([])).map(({ name, what }) => [name, what]));
  } finally {
    await log.close();
  }
}

async function risks(options?: string, url?: string): Promise<Record<string, string>> {
  const pool = poolOf(options, url);
  return found(pool).finally(() => pool.end());
}

async function admin(...statements: readonly string[]): Promise<void> {
  const client = new pg.Client({ connectionString: database?.url });
  await client.connect();
  for (const statement of statements) await client.query(statement);
  await client.end();
}

if (database === undefined) console.info("skipped: preflight of the log in PostgreSQL, there is none");
describe.skipIf(database === undefined)("preflight of the log in PostgreSQL", () => {
  afterAll(async () => server?.close());

  it("finds nothing on a server as it comes", async () => {
    expect(await risks()).toEqual({});
  });

  it("says of each setting of its role which promise it breaks, its value and what mends it", async () => {
    const set = ["synchronous_commit=off", "default_transaction_isolation=serializable"];
    const said = await risks(`${set.map((one) => `-c ${one}`).join(" ")} -c default_transaction_read_only=on`);
    expect(said).toEqual({
      "synchronous-commit": expect.stringMatching(
        /^the log: synchronous_commit is off: what the relay has noted as sent.* ALTER ROLE ".+" SET synchronous_commit = 'on'/,
      ),
      isolation: expect.stringMatching(
        /^the log: default_transaction_isolation is serializable: two .* append .* SET default_transaction_isolation = 'read committed'/,
      ),
      "read-only": expect.stringMatching(
        /^the log: default_transaction_read_only is on: nothing can be appended; .* SET default_transaction_read_only = 'off'/,
      ),
    });
  });

  it("names settings of the whole server", async () => {
    await admin("ALTER SYSTEM SET fsync = off", "ALTER SYSTEM SET full_page_writes = off", "SELECT pg_reload_conf()");
    await expect.poll(async () => Object.keys(await risks()).sort()).toEqual(["fsync", "full-page-writes"]);
    expect((await risks()).fsync).toMatch(/^the log: fsync is off: .* ALTER SYSTEM SET fsync = on/);
    await admin("ALTER SYSTEM RESET ALL", "SELECT pg_reload_conf()");
    await expect.poll(() => risks()).toEqual({});
  });

  it("names its tables that a crash would empty, not those of others", async () => {
    await admin(
      "ALTER TABLE millracelog.mr_log SET UNLOGGED",
      "CREATE SCHEMA others",
      "CREATE UNLOGGED TABLE others.mr_log()",
    );
    expect(await risks()).toEqual({
      "unlogged-tables": expect.stringMatching(
        /^the log: millracelog.mr_log is unlogged: .*; ALTER TABLE millracelog.mr_log SET LOGGED$/,
      ),
    });
    await admin("ALTER TABLE millracelog.mr_log SET LOGGED");
  });

  it("names a database whose encoding cannot hold every event", async () => {
    await admin("CREATE DATABASE old_log TEMPLATE template0 ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C'");
    const url = new URL(database?.url ?? "");
    url.pathname = "/old_log";
    expect(await risks("", url.href)).toEqual({
      encoding: expect.stringMatching(/^the log: the encoding of database old_log is LATIN1: .* ENCODING 'UTF8'/),
    });
  });

  it("knows a proxy that pools transactions", async () => {
    const clients = await connections(database?.url ?? "", 3);
    expect(await found(new TransactionPool(clients))).toEqual({
      "transaction-pooling": expect.stringMatching(/^the log: one connection .* set pool_mode = session$/),
    });
    for (const client of clients) await client.end();
  });

  it("refuses the start of an engine whose store is sound, unless the risk is accepted", async () => {
    const [unsafe, sound] = [poolOf("-c synchronous_commit=off"), poolOf()];
    const halves = { log: postgresLog({ pool: unsafe }), store: postgresStore({ pool: sound }) };
    await expect(engine(halves).open(context)).rejects.toMatchObject({
      code: "RISK_REFUSED",
      message: expect.stringContaining("- synchronous-commit: the log: synchronous_commit is off"),
    });
    const opened = await engine({ ...halves, acceptRisks: ["synchronous-commit"] }).open(context);
    await opened.close();
    await Promise.all([unsafe.end(), sound.end()]);
  });

  it("says how to reach the primary when all it may do is read", async () => {
    const pool = poolOf("-c default_transaction_read_only=on");
    await expect(postgresLog({ pool, schema: "newlog" }).open(context)).rejects.toMatchObject({
      code: "LOG_UNAVAILABLE",
      message: expect.stringContaining("give the address of the primary"),
    });
    await pool.end();
  });
});
