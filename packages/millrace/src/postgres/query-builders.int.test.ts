import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { drizzle } from "drizzle-orm/node-postgres";
import { pgTable, text } from "drizzle-orm/pg-core";
import { Kysely, PostgresDialect } from "kysely";
import pg from "pg";
import ts from "typescript";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { event } from "../contract/event.js";
import { topic } from "../contract/topic.js";
import type { Transaction } from "../engine/engine.js";
import { type MillraceApp, millrace } from "../main/millrace.js";
import { engine } from "../outbox/engine.js";
import { silentLogger } from "../runtime/logger.js";
import { service } from "../service/declare.js";
import { trialDatabase } from "../testing/trial-database.js";
import { postgresLog } from "./log.js";
import { postgresStore } from "./postgres-store.js";

const page = readFileSync(new URL("../../../../docs/outbox.md", import.meta.url), "utf8");
// Inside of the repository, so that the packages are found.
const folder = new URL(`../../../../.snippets/builders-${process.pid}/`, import.meta.url);
const database = await trialDatabase();
const pool = new pg.Pool({ connectionString: database?.url ?? "", max: 20 });
// The server says goodbye to those that are closing when the database is dropped.
pool.on("connect", (client) => client.on("error", () => {}));

/** What the page's snippet about a package exports. */
async function shown<Exports>(name: string): Promise<Exports> {
  const block = page.split("```").find((one) => one.startsWith("ts\n") && one.includes(`from "${name}"`)) ?? "";
  const { outputText } = ts.transpileModule(block.slice(3), { compilerOptions: { module: ts.ModuleKind.ESNext } });
  mkdirSync(folder, { recursive: true });
  const file = new URL(`${name}.mjs`, folder);
  writeFileSync(file, outputText);
  return (await import(/* @vite-ignore */ fileURLToPath(file))) as Exports;
}

const orders = topic("orders", {
  key: "orderId",
  events: { placed: event("order.placed", z.object({ orderId: z.string() })) },
});
const carts = pgTable("carts", { id: text("id").primaryKey() });
const handled: string[] = [];
let app: MillraceApp;

/** A transaction that stores a cart, and does the rest with what `app.outbox` takes. */
type Transact = (cart: string, rest: (transaction: Transaction) => Promise<void>) => Promise<void>;

async function kysely(): Promise<Transact> {
  const { inKysely } = await shown<{ inKysely: (trx: unknown) => Transaction }>("kysely");
  const db = new Kysely<{ carts: { id: string } }>({ dialect: new PostgresDialect({ pool }) });
  return (id, rest) =>
    db.transaction().execute(async (trx) => {
      await trx.insertInto("carts").values({ id }).execute();
      await rest(inKysely(trx));
    });
}

async function drizzled(): Promise<Transact> {
  const { inDrizzle } = await shown<{ inDrizzle: (tx: unknown) => Transaction }>("drizzle-orm");
  const db = drizzle(pool);
  return (id, rest) =>
    db.transaction(async (tx) => {
      await tx.insert(carts).values({ id });
      await rest(inDrizzle(tx));
    });
}

if (database === undefined) console.info("skipped: query builders, there is no PostgreSQL");
describe.skipIf(database === undefined)("publishing in a transaction of a query builder", () => {
  beforeAll(async () => {
    await pool.query("CREATE TABLE carts(id text PRIMARY KEY)");
    const hearing = service("hearing").on(orders.placed, { from: "beginning" }, ({ key }) => void handled.push(key));
    app = millrace({
      services: [service("shop").owns(orders), hearing],
      engine: engine({ log: postgresLog({ pool }), store: postgresStore({ pool }) }),
      logger: silentLogger,
      admin: false,
    });
    await app.start();
  });
  afterAll(async () => {
    await app.stop();
    await pool.end();
    await database?.drop();
    rmSync(folder, { recursive: true, force: true });
  });

  it.each([
    ["Kysely", kysely],
    ["Drizzle", drizzled],
  ])(
    "of %s, as the documentation shows it, publishes what commits, and nothing of what is rolled back",
    async (name, open) => {
      const transact = await open();
      const [kept, undone] = [`${name}-kept`, `${name}-undone`];
      const publish = (orderId: string, transaction: Transaction) =>
        app.outbox(transaction).publish(orders.placed({ orderId }), { id: `${orderId}/it's"one"` });
      const rolledBack = transact(undone, async (transaction) => {
        await publish(undone, transaction);
        throw new Error("the card was refused");
      });
      await expect(rolledBack).rejects.toThrow("the card was refused");
      await transact(kept, async (transaction) => {
        await publish(kept, transaction);
        await publish(kept, transaction);
      });
      await expect.poll(() => handled.filter((key) => key.startsWith(name))).toEqual([kept]);
      await app.settled();
      expect(handled.filter((key) => key.startsWith(name))).toEqual([kept]);
      const { rows } = await pool.query("SELECT id FROM carts WHERE id LIKE $1", [`${name}%`]);
      expect(rows).toEqual([{ id: kept }]);
    },
  );
});
