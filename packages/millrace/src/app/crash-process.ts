// A program that crash.test.ts kills: `node crash-process.js ours|classic FOLDER ORDERS FROM`. Each line on stdout is a promise
// that its number is on disk (ours), or a note that its number was marked as processed (classic).
import { join } from "node:path";
import { setImmediate as turn } from "node:timers/promises";
import { z } from "zod";
import { documents } from "../contract/documents.js";
import { event } from "../contract/event.js";
import { topic } from "../contract/topic.js";
import { embedded } from "../embedded/embedded.js";
import { openDatabase } from "../embedded/sqlite.js";
import { silentLogger } from "../runtime/logger.js";
import { say } from "../runtime/say.js";
import { service } from "../service/declare.js";
import { createApp } from "./create.js";

const [mode, folder = ".", orderCount = "0", from = "1"] = process.argv.slice(2);
const ordersMax = Number(orderCount);
const inFlight = 16;
const keys = 97;

const Order = z.object({ customer: z.string(), n: z.int() });
const orders = topic("orders", { key: "customer", events: { placed: event("order.placed", Order) } });
const payments = topic("payments", { key: "customer", events: { taken: event("payment.taken", Order) } });
const accounts = documents("accounts", z.object({ customer: z.string(), count: z.int(), last: z.int() }), {
  id: "customer",
});

/** Fails some first runs, so that kills also meet retries. */
function stumble(n: number, attempt: number): void {
  if (attempt === 1 && n % 23 === 0) throw new Error("the first run of this one fails");
}

const cashier = service("cashier")
  .migrations({
    "001-handled": "CREATE TABLE handled(seq INTEGER PRIMARY KEY AUTOINCREMENT, customer TEXT, n INTEGER)",
  })
  .on(orders.placed, { emits: [payments.taken], from: "beginning" }, async ({ data }, ctx) => {
    const account = (await ctx.documents(accounts).get(data.customer)) ?? {
      customer: data.customer,
      count: 0,
      last: 0,
    };
    await turn();
    stumble(data.n, ctx.attempt);
    ctx.documents(accounts).put({ customer: data.customer, count: account.count + 1, last: data.n });
    ctx.sql`INSERT INTO handled(customer, n) VALUES (${data.customer}, ${data.n})`;
    ctx.publish(payments.taken(data));
  });

const ledger = service("ledger")
  .migrations({ "001-booked": "CREATE TABLE booked(seq INTEGER PRIMARY KEY AUTOINCREMENT, customer TEXT, n INTEGER)" })
  .on(payments.taken, { from: "beginning" }, ({ data }, ctx) => {
    ctx.sql`INSERT INTO booked(customer, n) VALUES (${data.customer}, ${data.n})`;
  });

/** Works through `from` to the end, a few at a time and in order. */
async function each(from: number, work: (n: number) => Promise<void>): Promise<void> {
  let next = from;
  const worker = async () => {
    while (next <= ordersMax) {
      const n = next;
      next += 1;
      await work(n);
    }
  };
  await Promise.all(Array.from({ length: inFlight }, worker));
}

async function ours(): Promise<void> {
  const app = createApp({ services: [cashier, ledger], engine: embedded(folder), logger: silentLogger }, []);
  await app.start();
  await each(Number(from), async (n) => {
    await app.publish(orders.placed({ customer: `c-${n % keys}`, n }), { id: `order-${n}` });
    say(n);
  });
  await app.settled();
  await app.stop();
}

/** The consumer that most teams write: it marks a message as processed (SETNX), then handles it. */
async function classic(): Promise<void> {
  const database = openDatabase(join(folder, "classic.db"));
  database.exec("CREATE TABLE IF NOT EXISTS seen(n INTEGER PRIMARY KEY)");
  database.exec("CREATE TABLE IF NOT EXISTS handled(seq INTEGER PRIMARY KEY AUTOINCREMENT, n INTEGER)");
  const mark = database.prepare("INSERT OR IGNORE INTO seen VALUES (?)");
  const handle = database.prepare("INSERT INTO handled(n) VALUES (?)");
  await each(1, async (n) => {
    if (Number(mark.run(n).changes) === 0) return;
    say(n);
    await turn();
    handle.run(n);
  });
  database.close();
}

await (mode === "ours" ? ours() : classic());
