import { type Context, service } from "millrace";
import { corrections } from "../contracts/corrections.js";
import { blockCustomer, customers, registerCustomer } from "../contracts/customers.js";
import { fraudChecks } from "../contracts/fraud-checks.js";
import { invoices } from "../contracts/invoices.js";
import { cancelOrder, orders, placeOrder } from "../contracts/orders.js";
import { payments } from "../contracts/payments.js";
import { shipments } from "../contracts/shipments.js";
import { stock } from "../contracts/stock.js";
import type { Catalogue } from "./catalogue.js";
import { translate } from "./import.js";
import { type Answer, accept, cancel, type Order, orderBook } from "./order.js";

/**
 * Takes orders, and knows how far each has come.
 *
 * It calls nobody. It says `order.placed` and listens: fraud, inventory and payments answer in their own events, side
 * by side; with the third yes the order is confirmed, with the first no it is cancelled. Each handler reads the order,
 * decides and publishes in one unit of work, so that two answers at one moment cannot overwrite each other.
 */
export function ordersService({ catalogue }: { readonly catalogue: Catalogue }) {
  return (
    service("orders")
      .owns(invoices)
      .handle(placeOrder, { emits: [orders.placed] }, async ({ data }, ctx) => {
        const { orderId } = data;
        if (await ctx.documents(orderBook).get(orderId)) return { refused: "ORDER_EXISTS" };
        const unknown = data.lines.find(({ sku }) => !Object.hasOwn(catalogue, sku));
        if (unknown) return { refused: "UNKNOWN_SKU", detail: `the catalogue has no ${unknown.sku}` };
        const lines = data.lines.map(({ sku, quantity }) => ({
          sku,
          quantity,
          pence: (catalogue[sku]?.pence ?? 0) * quantity,
        }));
        const totalPence = lines.reduce((sum, line) => sum + line.pence, 0);
        take(ctx, orders.placed({ ...data, lines, totalPence, placedAt: ctx.now().toISOString() }));
      })
      .handle(cancelOrder, { emits: [orders.cancelled] }, async ({ data }, ctx) => {
        const order = await ctx.documents(orderBook).get(data.orderId);
        if (!order) return { refused: "ORDER_UNKNOWN" };
        const cancelled = cancel(order, { reason: "customer", detail: "the customer changed their mind" });
        if (!cancelled) return { refused: "TOO_LATE", detail: `the order is ${order.status}` };
        ctx.documents(orderBook).put(cancelled);
        ctx.publish(orders.cancelled({ orderId: data.orderId, reason: "customer" }));
      })
      .handle(registerCustomer, { emits: [customers.registered] }, ({ data }, ctx) =>
        ctx.publish(customers.registered(data)),
      )
      .handle(blockCustomer, { emits: [customers.blocked] }, ({ data }, ctx) => ctx.publish(customers.blocked(data)))
      // The till's invoices become orders like any other, or corrections of the books.
      .on(
        invoices.recorded,
        {
          emits: [orders.placed, corrections.goodsReturned, corrections.goodsWrittenOff, corrections.booksAdjusted],
          from: "beginning",
        },
        ({ data }, ctx) => {
          const message = translate(data);
          if (message.type === "order.placed") take(ctx, message);
          else ctx.publish(message);
        },
      )
      .on(fraudChecks.cleared, answered, ({ data }, ctx) => yes(ctx, data.orderId, "cleared"))
      .on(stock.reserved, answered, ({ data }, ctx) => yes(ctx, data.orderId, "reserved"))
      .on(payments.authorised, answered, ({ data }, ctx) => yes(ctx, data.orderId, "paid"))
      .on(fraudChecks.suspected, refused, ({ data }, ctx) =>
        no(ctx, data.orderId, { reason: "fraud", detail: data.why }),
      )
      .on(stock.short, refused, ({ data }, ctx) =>
        no(ctx, data.orderId, { reason: "stock", detail: `not enough ${data.sku}` }),
      )
      .on(payments.refused, refused, ({ data }, ctx) => no(ctx, data.orderId, { reason: "payment", detail: data.why }))
      .on(shipments.prepared, { from: "beginning" }, async ({ data }, ctx) => {
        const order = await existing(ctx, data.orderId);
        // Cancelled while it was being packed: the warehouse unpacks it when it hears so.
        if (order.status !== "confirmed") return;
        ctx.documents(orderBook).put({ ...order, status: "shipped", shipmentId: data.shipmentId });
      })
  );
}

const answered = { emits: [orders.confirmed], from: "beginning" } as const;
const refused = { emits: [orders.cancelled], from: "beginning" } as const;

/** The order's document and its first event are one commit: there is never the one without the other. */
function take(ctx: Context<"order.placed">, placed: ReturnType<typeof orders.placed>): void {
  const { lines, deliverTo: _, ...order } = placed.data;
  ctx.documents(orderBook).put({
    ...order,
    lines: lines.length,
    status: "placed",
    cleared: false,
    reserved: false,
    paid: false,
  });
  ctx.publish(placed);
}

async function yes(ctx: Context<"order.confirmed">, orderId: string, answer: Answer): Promise<void> {
  const before = await existing(ctx, orderId);
  const order = accept(before, answer);
  ctx.documents(orderBook).put(order);
  if (order.status === before.status) return;
  const { customerId, totalPence } = order;
  ctx.publish(orders.confirmed({ orderId, ...(customerId !== undefined && { customerId }), totalPence }));
}

async function no(
  ctx: Context<"order.cancelled">,
  orderId: string,
  cancelled: NonNullable<Order["cancelled"]>,
): Promise<void> {
  const order = cancel(await existing(ctx, orderId), cancelled);
  if (order === undefined) return;
  ctx.documents(orderBook).put(order);
  ctx.publish(orders.cancelled({ orderId, reason: cancelled.reason }));
}

async function existing(ctx: Context<never>, orderId: string): Promise<Order> {
  const order = await ctx.documents(orderBook).get(orderId);
  if (order) return order;
  throw new Error(`order ${orderId} was answered but never placed`);
}
