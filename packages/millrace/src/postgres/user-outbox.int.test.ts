import pg from "pg";
import { afterAll, afterEach, beforeEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { event } from "../contract/event.js";
import { topic } from "../contract/topic.js";
import { embedded } from "../embedded/embedded.js";
import { type MillraceApp, millrace } from "../main/millrace.js";
import { engine } from "../outbox/engine.js";
import { silentLogger } from "../runtime/logger.js";
import { service } from "../service/declare.js";
import { trialDatabase } from "../testing/trial-database.js";
import { postgresLog } from "./log.js";
import { postgresStore } from "./postgres-store.js";

const database = await trialDatabase();
const pool = new pg.Pool({ connectionString: database?.url ?? "", max: 20 });
// The server says goodbye to those that are closing when the database is dropped.
pool.on("connect", (client) => client.on("error", () => {}));
afterAll(async () => {
  await pool.end();
  await database?.drop();
});

const orders = topic("orders", {
  key: "orderId",
  events: { placed: event("order.placed", z.object({ orderId: z.string().min(1), pence: z.int() })) },
});
const stray = topic("stray", { key: "a", events: { happened: event("stray.happened", z.object({ a: z.string() })) } });
let handled: string[];
let app: MillraceApp;

beforeEach(async () => {
  handled = [];
  const shop = service("shop").owns(orders);
  const counting = service("counting").on(orders.placed, { from: "beginning" }, ({ data, key }) => {
    handled.push(`${key}:${data.pence}`);
  });
  app = millrace({
    services: [shop, counting],
    engine: engine({ log: postgresLog({ pool }), store: postgresStore({ pool }) }),
    logger: silentLogger,
    admin: false,
  });
  if (database !== undefined) await app.start();
});
afterEach(() => app.stop());

async function transaction(how: "COMMIT" | "ROLLBACK", work: (client: pg.PoolClient) => Promise<void>): Promise<void> {
  const client = await pool.connect();
  try {
    await client.query("BEGIN");
    await work(client);
    await client.query(how);
  } finally {
    client.release();
  }
}

const placed = (orderId: string, pence: number) => orders.placed({ orderId, pence });

if (database === undefined) console.info("skipped: no PostgreSQL");
describe.skipIf(database === undefined)("publishing in a transaction of one's own", () => {
  it("publishes what commits, in its order, and nothing of what is rolled back", async () => {
    await transaction("ROLLBACK", async (client) => {
      await app.outbox(client).publish(placed("undone", 1));
    });
    await transaction("COMMIT", async (client) => {
      const [first, second] = await app.outbox(client).publish([placed("a", 1), placed("a", 2)]);
      expect([first?.topic, first?.offset, second?.id === first?.id]).toEqual(["orders", -1, false]);
      await app.outbox(client).publish(placed("a", 3), { actor: "ann" });
    });
    await expect.poll(() => handled).toEqual(["a:1", "a:2", "a:3"]);
    await app.settled();
    expect(handled).toEqual(["a:1", "a:2", "a:3"]);
  });

  it("refuses what is no transaction: nothing may be published that cannot be rolled back", async () => {
    const refused = (given: Parameters<typeof app.outbox>[0], code: string, message: RegExp) =>
      expect(app.outbox(given).publish(placed("stray", 1), { id: "stray/1" })).rejects.toMatchObject({
        code,
        message: expect.stringMatching(message),
      });
    await refused(pool, "OPTION_INVALID", /given a pool, .*BEGIN/);
    await transaction("ROLLBACK", async (client) => {
      await client.query("COMMIT");
      await refused(client, "OPTION_INVALID", /in no transaction; .*BEGIN/);
      // Not awaited: it is on its way before the publish.
      const begun = client.query("BEGIN");
      await app.outbox(client).publish(placed("stray", 2));
      await begun;
      await expect(client.query("SELECT 1 / 0")).rejects.toThrow("zero");
      await refused(client, "CONFLICT", /ROLLBACK, and begin again/);
    });
    const elsewhere = new pg.Client({ connectionString: (database?.url ?? "").replace(/\/[^/]*$/, "/postgres") });
    await elsewhere.connect();
    await elsewhere.query("BEGIN");
    await refused(elsewhere, "OPTION_INVALID", /no millrace_shop.mr_outbox: .* database of the store/);
    await elsewhere.end();
    await app.publish(placed("stray", 3));
    await app.settled();
    await expect.poll(() => handled).toEqual(["stray:3"]);
  });

  it("keeps the order of the user's own locks", async () => {
    await pool.query("CREATE TABLE IF NOT EXISTS carts(id text PRIMARY KEY, pence integer)");
    await pool.query("INSERT INTO carts VALUES ('hot', 0) ON CONFLICT (id) DO UPDATE SET pence = 0");
    await Promise.all(
      Array.from({ length: 8 }, async () => {
        for (let n = 0; n < 10; n += 1)
          await transaction(n % 4 === 3 ? "ROLLBACK" : "COMMIT", async (client) => {
            const { rows } = await client.query("UPDATE carts SET pence = pence + 1 WHERE id = 'hot' RETURNING pence");
            await app.outbox(client).publish(placed("hot", rows[0].pence));
          });
      }),
    );
    const [{ pence }] = (await pool.query("SELECT pence FROM carts")).rows;
    await expect.poll(() => handled.filter((one) => one.startsWith("hot")).length).toBe(pence);
    expect(handled.filter((one) => one.startsWith("hot"))).toEqual(
      Array.from({ length: pence }, (_, n) => `hot:${n + 1}`),
    );
  });

  it("takes an id of the caller's own once, and refuses it with other content", async () => {
    const id = "cart-7/checkout";
    await transaction("COMMIT", async (client) => void (await app.outbox(client).publish(placed("named", 1), { id })));
    await transaction("COMMIT", async (client) => void (await app.outbox(client).publish(placed("named", 1), { id })));
    // The same identity as a publish of the app's own.
    await app.publish(placed("named", 1), { id });
    await transaction("ROLLBACK", async (client) => {
      await expect(app.outbox(client).publish(placed("named", 2), { id })).rejects.toMatchObject({
        code: "EVENT_ID_REUSED",
      });
    });
    await expect(app.publish(placed("named", 2), { id })).rejects.toMatchObject({ code: "EVENT_ID_REUSED" });
    await app.settled();
    await expect.poll(() => handled.filter((one) => one.startsWith("named"))).toEqual(["named:1"]);
  });

  it("checks contracts, ids and what the app knows, before the transaction is touched", async () => {
    const touched: string[] = [];
    const outbox = app.outbox({ query: async (text) => void touched.push(text) });
    await expect(outbox.publish(placed("", 1))).rejects.toMatchObject({ code: "CONTRACT_REJECTED" });
    await expect(outbox.publish(stray.happened({ a: "b" }))).rejects.toMatchObject({ code: "CONTRACT_UNKNOWN" });
    await expect(outbox.publish(placed("a", 1), { id: "two words" })).rejects.toMatchObject({ code: "OPTION_INVALID" });
    await expect(outbox.publish(placed("a", 1), { ids: [] } as never)).rejects.toMatchObject({
      code: "OPTION_INVALID",
    });
    expect(() => app.outbox({} as never)).toThrow(expect.objectContaining({ code: "OPTION_INVALID" }));
    expect(touched).toEqual([]);
  });

  it("is not there where state is in a file", async () => {
    const other = millrace({
      services: [service("shop").owns(orders)],
      engine: embedded(":memory:"),
      logger: silentLogger,
    });
    await other.start();
    await expect(other.outbox({ query: async () => {} }).publish(placed("a", 1))).rejects.toMatchObject({
      code: "ENGINE_UNABLE",
    });
    await other.stop();
  });
});
