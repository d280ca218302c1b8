import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { embedded } from "millrace";
import { registerCustomer } from "shop/dist/contracts/customers.js";
import { shop } from "shop/dist/shop.js";
import { startChain } from "shop/dist/synchronous/chain.js";
import type { Benchmark, Round } from "./benchmark.js";
import type { Load, Placed } from "./checkout-load-process.js";
import { type Handled, whenDone } from "./checkout-trace.js";
import { openChild } from "./child.js";
import { figure } from "./figure.js";
import { now, rate } from "./load.js";
import { PlainGroups } from "./plain-sqlite.js";
import { latency, percentile } from "./statistics.js";

const perSecond = 500;
const customers = 1_000;
const totals = (tiny: boolean) => (tiny ? { warmUp: 20, orders: 50 } : { warmUp: 1_000, orders: 10 * perSecond });

/** Places orders from another process: some to warm up, then those that count. */
async function placeOrders(url: string, tiny: boolean): Promise<readonly Placed[]> {
  const { warmUp, orders } = totals(tiny);
  const child = await openChild("./checkout-load-process.js");
  const load = (first: number, total: number): Load => ({ url, perSecond, first, total, customers });
  await child.ask(load(0, warmUp));
  const placed = (await child.ask(load(warmUp, orders))) as readonly Placed[];
  await child.close();
  return placed;
}

/** The shop: 202 when the order is on disk, while seven services react to those before. */
async function shopping({ dir, tiny }: Round) {
  const world = await openChild("./checkout-outside-process.js");
  const outside = (await world.ask("where?")) as { readonly paymentsUrl: string; readonly mailUrl: string };
  const app = shop({ engine: embedded(dir), outside });
  await app.start();
  for (let n = 0; n < customers; n += 1) {
    const customerId = `customer-${n}`;
    const email = `${customerId}@customers.example`;
    await app.send(registerCustomer({ customerId, name: "Ada", email, country: "United Kingdom" }));
  }
  await app.settled();
  const handled: Handled[] = [];
  const heard = (message: unknown) => {
    const { consumer, event } = message as { readonly consumer: string; readonly event: string };
    handled.push({ consumer, event, atMs: performance.timeOrigin + performance.now() });
  };
  subscribe("millrace:handled", heard);
  const start = now();
  const placed = await placeOrders(app.url ?? "", tiny);
  await app.settled();
  const { warmUp, orders } = totals(tiny);
  const { cpuMs } = rate(start, warmUp + orders);
  unsubscribe("millrace:handled", heard);
  await app.stop();
  await world.close();
  const doneMs = await whenDone(dir, handled);
  const missing = placed.find(({ orderId }) => !doneMs.has(orderId));
  if (missing !== undefined) throw new Error(`nobody reacted to ${missing.orderId}`);
  const all = latency(placed.map(({ orderId, dueMs }) => (doneMs.get(orderId) ?? 0) - dueMs));
  const answers = latency(placed.map(({ ms }) => ms));
  return { p50: answers.p50, p99: answers.p99, doneP50: all.p50, doneP99: all.p99, cpuMs };
}

/** The least that a durable 202 costs: node:http, and a row in SQLite by group commit. */
async function plain({ dir, tiny }: Round) {
  const groups = new PlainGroups<string>({
    dir,
    schema: "CREATE TABLE log(pos INTEGER PRIMARY KEY, body TEXT NOT NULL)",
    itemBytes: 450,
    prepare(database) {
      const insert = database.prepare("INSERT INTO log(body) VALUES (?)");
      return (body) => void insert.run(body);
    },
  });
  const server = createServer((request, response) => {
    let body = "";
    request.setEncoding("utf8");
    request.on("data", (chunk: string) => {
      body += chunk;
    });
    request.on("end", () => {
      groups.add(JSON.stringify(JSON.parse(body))).then(
        () => response.writeHead(202).end(),
        () => response.writeHead(500).end(),
      );
    });
  });
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  const placed = await placeOrders(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, tiny);
  server.closeAllConnections();
  await new Promise((closed) => server.close(closed));
  await groups.close();
  return latency(placed.map(({ ms }) => ms));
}

/** The same order as eight HTTP calls, one inside the other, one order at a time. */
async function chain({ tiny }: Round) {
  const { url, stop } = await startChain();
  const timesMs: number[] = [];
  for (let n = 0; n < (tiny ? 1 : 6); n += 1) {
    const start = performance.now();
    await (await fetch(`${url}/orders`, { method: "POST", body: "{}" })).text();
    timesMs.push(performance.now() - start);
  }
  await stop();
  return { p50: percentile(timesMs, 0.5) };
}

/** An order over HTTP: how long until the customer has an answer, and until everybody has done their part. */
export const checkout: Benchmark = {
  trials: { plain, shopping, chain },
  async run(stage) {
    const measured = await stage.alternate({ plain, shopping, chain }, { rounds: 5 });
    const { plain: least, shopping: ours, chain: synchronous } = measured;
    const unit = "ms";
    return [
      figure({ name: "checkout.p50", value: ours.p50, unit, ceiling: least.p50 }),
      figure({ name: "checkout.p99", value: ours.p99, unit, ceiling: least.p99, goal: { atMost: 15 } }),
      figure({ name: "checkout.done.p50", value: ours.doneP50, unit }),
      figure({ name: "checkout.done.p99", value: ours.doneP99, unit, goal: { atMost: 100 } }),
      figure({ name: "checkout.cpu", value: ours.cpuMs, unit: "ms/order" }),
      figure({ name: "checkout.chain", value: synchronous.p50, unit, goal: { atLeast: 640 } }),
    ];
  },
};
