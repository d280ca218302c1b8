import type pg from "pg";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { z } from "zod";
import { createApp } from "../app/create.js";
import { documents } from "../contract/documents.js";
import { command, event } from "../contract/event.js";
import { topic } from "../contract/topic.js";
import { engine } from "../outbox/engine.js";
import { projection } from "../projection/projection.js";
import { silentLogger } from "../runtime/logger.js";
import { service } from "../service/declare.js";
import { trialDatabase } from "../testing/trial-database.js";
import { freshSchema, trialPool } from "../testing/trial-store.js";
import { postgresLog } from "./log.js";
import { postgresStore } from "./postgres-store.js";

const database = await trialDatabase();
const Placed = z.object({ orderId: z.string(), pence: z.int() });
const orders = topic("orders", { key: "orderId", partitions: 4, events: { placed: event("order.placed", Placed) } });
const paid = event("payment.taken", z.object({ orderId: z.string(), pence: z.int() }));
const payments = topic("payments", { key: "orderId", partitions: 4, events: { paid } });
const pay = command("take-payment", Placed, { key: "orderId" });
const totals = documents("totals", z.object({ id: z.string(), pence: z.int() }), { id: "id" });
const perOrder = projection("per-order", {
  version: 1,
  row: z.object({ orderId: z.string(), events: z.int() }),
  commutative: true,
})
  .on(orders.placed, (row, { key }) => ({ orderId: key, events: (row?.events ?? 0) + 1 }))
  .on(payments.paid, (row, { key }) => ({ orderId: key, events: (row?.events ?? 0) + 1 }));
let pool: pg.Pool;
let failures = 0;

/** The services of the test, as each of its processes has them. */
function services() {
  const shop = service("shop")
    .owns(orders, perOrder)
    .on(orders.placed, { emits: [pay] }, ({ data }, ctx) => ctx.send(pay(data)));
  const till = service("till")
    .owns(payments)
    .handle(
      pay,
      { emits: [payments.paid], retry: { attemptsInPlace: 1, backoffFirst: "5ms" } },
      async ({ data }, ctx) => {
        if (data.pence % 5 === 0 && ctx.attempt === 1) {
          failures += 1;
          throw new Error("the terminal is busy");
        }
        const total = await ctx.documents(totals).get("all");
        ctx.documents(totals).put({ id: "all", pence: (total?.pence ?? 0) + data.pence });
        ctx.publish(payments.paid(data));
      },
    );
  return [shop, till];
}

function app(shared: string) {
  const halves = { log: postgresLog({ pool, schema: `${shared}l` }), store: postgresStore({ pool, schema: shared }) };
  return createApp({ services: services(), engine: engine(halves), logger: silentLogger, signals: false }, []);
}

if (database === undefined) console.info("skipped: an app on PostgreSQL, there is none");
describe.skipIf(database === undefined)("an app on PostgreSQL alone", () => {
  beforeAll(() => {
    pool = trialPool(database?.url ?? "", { max: 20 });
  });
  afterAll(async () => {
    await pool.end();
    await database?.drop();
  });

  it("handles each event once in two processes, with retries, commands and a view, and goes on after a restart", async () => {
    const shared = freshSchema();
    const [one, two] = [app(shared), app(shared)];
    await one.start();
    await two.start();
    const count = 40;
    await one.publish(Array.from({ length: count }, (_, n) => orders.placed({ orderId: `o${n}`, pence: n })));
    const sum = (count * (count - 1)) / 2;
    const total = async () => (await two.documents(totals).get("all"))?.pence;
    await vi.waitFor(async () => expect(await total()).toBe(sum), { timeout: 25_000, interval: 200 });
    expect(failures).toBeGreaterThanOrEqual(count / 5);
    await one.stop();
    await two.publish(orders.placed({ orderId: "last", pence: 1 }));
    await vi.waitFor(async () => expect(await total()).toBe(sum + 1), { timeout: 25_000, interval: 200 });
    const rows = async () => (await two.projection(perOrder).find({}, { limit: 100 })).rows.map(({ events }) => events);
    await vi.waitFor(async () => expect(await rows()).toEqual(Array(count + 1).fill(2)), {
      timeout: 25_000,
      interval: 200,
    });
    await two.stop();
  }, 120_000);
});
