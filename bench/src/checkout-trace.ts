import { type AnyEvent, type Received, service } from "millrace";
import { fraudChecks } from "shop/dist/contracts/fraud-checks.js";
import { mails } from "shop/dist/contracts/mails.js";
import { orders } from "shop/dist/contracts/orders.js";
import { payments } from "shop/dist/contracts/payments.js";
import { points } from "shop/dist/contracts/points.js";
import { shipments } from "shop/dist/contracts/shipments.js";
import { deskWork, stock } from "shop/dist/contracts/stock.js";
import { startApp } from "./orders-app.js";

/** One event in one consumer: when its effects were on disk, in milliseconds since 1970. */
export interface Handled {
  readonly consumer: string;
  readonly event: string;
  readonly atMs: number;
}

const topics = [orders, fraudChecks, stock, deskWork, payments, shipments, points, mails];
/** Those that react to an order that the orders service took. */
const reacting = ["inventory", "payments", "fraud", "loyalty", "notifications", "warehouse", "analytics"];

/**
 * When the last of the seven services had done its part, for each order: reads the shop's log afterwards, so that
 * looking costs nothing while it is measured.
 */
export async function whenDone(dir: string, handled: readonly Handled[]): Promise<ReadonlyMap<string, number>> {
  const { correlationOf, orderOf } = await readFlows(dir);
  const flows = new Map<string, { doneMs: number; readonly services: Set<string> }>();
  for (const { consumer, event, atMs } of handled) {
    const orderId = orderOf.get(correlationOf.get(event) ?? "");
    const reaction = consumer.split(".")[0] ?? "";
    if (orderId === undefined || !reacting.includes(reaction)) continue;
    const flow = flows.get(orderId) ?? { doneMs: 0, services: new Set() };
    flow.doneMs = Math.max(flow.doneMs, atMs);
    flow.services.add(reaction);
    flows.set(orderId, flow);
  }
  for (const [orderId, { services }] of flows) {
    if (services.size === reacting.length) continue;
    throw new Error(`${orderId}: of the seven services only ${[...services].join(", ")} did something`);
  }
  return new Map([...flows].map(([orderId, { doneMs }]) => [orderId, doneMs]));
}

/** The correlation of every event, and the order that each correlation is about. */
async function readFlows(dir: string) {
  const correlationOf = new Map<string, string>();
  const orderOf = new Map<string, string>();
  const tracer = service("tracer");
  for (const event of topics.flatMap((topic) => Object.values(topic) as AnyEvent[]))
    tracer.on(event, { from: "beginning" }, (received: Received<string, unknown>) => {
      correlationOf.set(received.id, received.correlationId);
      if (received.type === orders.placed.type) orderOf.set(received.correlationId, received.key);
    });
  const app = await startApp(dir, [tracer]);
  await app.settled();
  await app.stop();
  return { correlationOf, orderOf };
}
