import { z } from "zod";
import { documents } from "../contract/documents.js";
import { command, event } from "../contract/event.js";
import { topic } from "../contract/topic.js";
import { service } from "./declare.js";
import type { EventHandler } from "./service.js";

const Line = z.object({ sku: z.string(), quantity: z.int() });
const Placed = z.object({ orderId: z.string(), customerId: z.string(), lines: z.array(Line), totalPence: z.int() });
const orders = topic("orders", {
  key: "orderId",
  events: {
    placed: event("order.placed", Placed),
    confirmed: event("order.confirmed", z.object({ orderId: z.string() })),
    cancelled: event("order.cancelled", z.object({ orderId: z.string(), reason: z.string() })),
  },
});
const payments = topic("payments", {
  key: "orderId",
  events: {
    authorised: event("payment.authorised", z.object({ orderId: z.string(), pence: z.int() })),
    declined: event("payment.declined", z.object({ orderId: z.string(), reason: z.string() })),
  },
});
const processPayment = command("process-payment", z.object({ orderId: z.string(), pence: z.int() }), {
  key: "orderId",
});
const refundPayment = command("refund-payment", z.object({ orderId: z.string() }), { key: "orderId" });
const Account = z.object({ customerId: z.string(), limitPence: z.int() });
const accounts = documents("accounts", Account, { id: "customerId" });

/** The uses of the design's api-sketch.ts: what must compile does, and what must not does not. Nothing of it runs. */
export const paymentService = service("payments")
  .on(orders.placed, { emits: [payments.authorised, payments.declined] }, async (placed, ctx) => {
    const { orderId, customerId, totalPence } = placed.data;
    const account = await ctx.documents(accounts).get(customerId);
    if (!account || account.limitPence < totalPence)
      return ctx.publish(payments.declined({ orderId, reason: "limit" }));
    ctx.documents(accounts).put({ ...account, limitPence: account.limitPence - totalPence });
    ctx.publish(payments.authorised({ orderId, pence: totalPence }));
    // @ts-expect-error emits does not declare it
    ctx.publish(orders.cancelled({ orderId: "1", reason: "x" }));
    // @ts-expect-error a field is missing
    ctx.publish(payments.declined({ orderId: "1" }));
    // @ts-expect-error a field is too many
    ctx.publish(payments.authorised({ orderId: "1", pence: 1, foo: 2 }));
    ctx.after("30s", payments.declined({ orderId, reason: "late" }));
    // @ts-expect-error emits declares no command
    ctx.send(processPayment({ orderId, pence: 1 }));
    // @ts-expect-error a document is written whole
    ctx.documents(accounts).put({ customerId });
  })
  .on(orders.cancelled, (cancelled, ctx) => {
    cancelled.data.reason satisfies string;
    // @ts-expect-error nothing is declared
    ctx.publish(payments.declined({ orderId: "1", reason: "x" }));
  })
  .on(orders.confirmed, { emits: [payments.declined, processPayment] }, ({ data }, ctx) => {
    ctx.send(processPayment({ orderId: data.orderId, pence: 1 }));
    ctx.publish(payments.declined({ orderId: data.orderId, reason: "x" }));
    // @ts-expect-error emits declares another command
    ctx.send(refundPayment({ orderId: "1" }));
    // @ts-expect-error a command is not an event
    ctx.publish(processPayment({ orderId: "1", pence: 1 }));
    // @ts-expect-error an event is not a command
    ctx.send(payments.declined({ orderId: "1", reason: "x" }));
  })
  .handle(processPayment, { emits: [payments.authorised] }, async ({ data }, ctx) => {
    if (data.pence <= 0) return { refused: "AMOUNT" };
    return ctx.publish(payments.authorised(data));
  })
  .consumer("isolated", (isolated) =>
    isolated
      .on(orders.placed, { isolate: new URL("./risk.js", import.meta.url), emits: [payments.declined], timeout: "5s" })
      // @ts-expect-error the module's default export is the handler
      .on(orders.cancelled, { isolate: new URL("./risk.js", import.meta.url) }, () => {})
      // @ts-expect-error neither a module nor a handler
      .on(orders.confirmed, { timeout: "5s" })
      // @ts-expect-error a URL, not a path
      .on(orders.confirmed, { isolate: "./risk.js" }),
  )
  .handle(refundPayment, { timeout: "5s" }, () => ({ refused: "NEVER" }))
  // @ts-expect-error a consumer of its own hears events, and handles no commands
  .consumer("risk", (risk) => risk.on(orders.placed, { from: "beginning" }, () => {}).handle);

/** The default export of an isolated module has the types of any handler. */
export const isolatedHandler: EventHandler<typeof orders.placed, "payment.declined"> = (placed, ctx) => {
  placed.data.totalPence satisfies number;
  ctx.publish(payments.declined({ orderId: placed.data.orderId, reason: "risk" }));
  // @ts-expect-error its type does not declare it
  ctx.publish(payments.authorised({ orderId: "1", pence: 1 }));
};
