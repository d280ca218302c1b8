import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { trialDatabase } from "../testing/trial-database.js";
import { trialServers } from "../testing/trial-services.js";
import { installService, installShared } from "./install.js";
import { preflight } from "./preflight.js";
import { connections, TransactionPool } from "./trial-proxy.js";

const server = await trialServers("postgres", "own");
const database = server === undefined ? undefined : await trialDatabase(server);

/** The risks that a client with these settings finds. */
async function risks(options = ""): Promise<Record<string, string>> {
  const pool = new pg.Pool({ connectionString: database?.url, max: 4, options });
  try {
    return Object.fromEntries((await preflight(pool, "millrace", "store")).map(({ name, what }) => [name, what]));
  } finally {
    await pool.end();
  }
}

async function admin(...statements: readonly string[]): Promise<string> {
  const client = new pg.Client({ connectionString: database?.url });
  await client.connect();
  try {
    let said = "";
    for (const statement of statements) said = Object.values((await client.query(statement)).rows[0] ?? {}).join();
    return said;
  } finally {
    await client.end();
  }
}

if (database === undefined) console.info("skipped: preflight of PostgreSQL, there is none");
describe.skipIf(database === undefined)("preflight of PostgreSQL", () => {
  beforeAll(async () => {
    const pool = new pg.Pool({ connectionString: database?.url, max: 2 });
    await installShared(pool, "millrace");
    await installService(pool, "millrace", { service: "shop", now: 0 });
    await pool.end();
  });
  afterAll(async () => server?.close());

  it("finds nothing on a server as it comes", async () => {
    expect(await risks()).toEqual({});
  });

  it("names a setting of the session or the role that would break a promise, its value and what mends it", async () => {
    const found = await risks(
      "-c synchronous_commit=off -c default_transaction_isolation=serializable -c default_transaction_read_only=on",
    );
    expect(Object.keys(found).sort()).toEqual(["isolation", "read-only", "synchronous-commit"]);
    expect(found["synchronous-commit"]).toMatch(/^synchronous_commit is off: .* SET synchronous_commit = 'on'/);
    expect(found["isolation"]).toMatch(/is serializable: .* SET default_transaction_isolation = 'read committed'/);
  });

  it("names settings of the whole server", async () => {
    await admin("ALTER SYSTEM SET fsync = off", "ALTER SYSTEM SET full_page_writes = off", "SELECT pg_reload_conf()");
    await expect.poll(async () => Object.keys(await risks()).sort()).toEqual(["fsync", "full-page-writes"]);
    await admin("ALTER SYSTEM RESET ALL", "SELECT pg_reload_conf()");
    await expect.poll(risks).toEqual({});
  });

  it("names unlogged tables of Millrace, and the command that mends each", async () => {
    await admin("ALTER TABLE millrace_shop.mr_documents SET UNLOGGED");
    expect((await risks())["unlogged-tables"]).toMatch(/ALTER TABLE millrace_shop.mr_documents SET LOGGED/);
    await admin("ALTER TABLE millrace_shop.mr_documents SET LOGGED");
    expect(await risks()).toEqual({});
  });

  it("names a database whose encoding cannot hold every event", async () => {
    const name = "old_letters";
    await admin(`CREATE DATABASE ${name} TEMPLATE template0 ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C'`);
    const url = new URL(database?.url ?? "");
    url.pathname = `/${name}`;
    const pool = new pg.Pool({ connectionString: url.href, max: 2 });
    const found = await preflight(pool, "millrace", "store");
    await pool.end();
    expect(found.map((risk) => risk.name)).toEqual(["encoding"]);
  });

  it("says that connections run out", async () => {
    const [max, reserved] = await Promise.all([
      admin("SHOW max_connections"),
      admin("SHOW superuser_reserved_connections"),
    ]);
    const others = await connections(database?.url ?? "", Number(max) - Number(reserved) - 6);
    try {
      expect((await risks())["connections"]).toMatch(new RegExp(`^max_connections is ${max}, and \\d are left`));
    } finally {
      for (const client of others) await client.end();
    }
  });

  it.each([2, 3])("knows a proxy that pools transactions, with %i connections", async (count) => {
    const clients = await connections(database?.url ?? "", count);
    const found = await preflight(new TransactionPool(clients), "millrace", "store");
    expect(found.map(({ name }) => name)).toEqual(["transaction-pooling"]);
    for (const client of clients) await client.end();
  });

  it("refuses a standby", async (context) => {
    const folder = await admin("SHOW data_directory");
    const [machine = ""] = server?.machines ?? [];
    if (!existsSync(folder)) context.skip("the server's files are not on this machine");
    await server?.disturb(machine, "stop");
    writeFileSync(join(folder, "standby.signal"), "");
    // It never says that it is ready to be written to.
    void server?.disturb(machine, "start").catch(() => {});
    await expect
      .poll(async () => (await risks().catch(() => undefined))?.["standby"], { timeout: 20_000 })
      .toMatch(/^pg_is_in_recovery\(\) is true: .* primary/);
  });
});
