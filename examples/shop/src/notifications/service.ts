import { documents, Failure, service } from "millrace";
import { z } from "zod";
import { customers } from "../contracts/customers.js";
import { mails } from "../contracts/mails.js";
import { orders } from "../contracts/orders.js";
import { refunds } from "../contracts/payments.js";
import { shipments } from "../contracts/shipments.js";
import { pounds } from "../money/pence.js";
import type { Mailer } from "./mailer.js";
import type { OrdersApi } from "./orders-api.js";

const Recipient = z.object({ customerId: z.string(), name: z.string(), email: z.string() });
const addressBook = documents("address-book", Recipient, { id: "customerId" });

const Note = z.object({ orderId: z.string(), customerId: z.string().optional(), totalPence: z.int() });
const notes = documents("notes", Note, { id: "orderId" });

/**
 * Writes to customers. It needs facts of other services, and gets them in both ways there are:
 *
 * - **Event-carried state transfer** for the letter that every order gets. Two small documents, kept from events, and no
 *   question to anybody: letters go out while the orders service is down.
 * - **Event notification** for the letter about a cancelled order. `order.cancelled` says little more than that it
 *   happened, and this service asks `GET /orders/{id}` for the rest. Cancellations are rare, the story behind one is
 *   long, and the letter should tell it as it stands now: a copy of every order's story would be kept for nothing. The
 *   price is that this letter, and only this one, waits while the orders service is down.
 */
export function notificationsService({
  mailer,
  ordersApi,
}: {
  readonly mailer: Mailer;
  readonly ordersApi: OrdersApi;
}) {
  return service("notifications")
    .on(customers.registered, { from: "beginning" }, ({ data: { customerId, name, email } }, ctx) =>
      ctx.documents(addressBook).put({ customerId, name, email }),
    )
    .on(orders.placed, { from: "beginning" }, ({ data: { orderId, customerId, totalPence } }, ctx) =>
      ctx.documents(notes).put({ orderId, ...(customerId !== undefined && { customerId }), totalPence }),
    )
    .on(
      shipments.prepared,
      { emits: [mails.sent], from: "beginning", concurrency: 64 },
      async ({ data: { orderId, pieces } }, ctx) => {
        const note = await ctx.documents(notes).get(orderId);
        // Order is promised for each topic, not across topics: this effect may be here before its cause. It waits.
        if (!note) throw new Failure("NOT_YET", `order ${orderId} is packed, and its order.placed is still on its way`);
        const to = note.customerId === undefined ? undefined : await ctx.documents(addressBook).get(note.customerId);
        if (!to) return;
        const text = `Dear ${to.name}, ${pieces} pieces for ${pounds(note.totalPence)} are on their way to you.`;
        await mailer.send({ to: to.email, subject: `Your order ${orderId}`, text }, ctx);
        ctx.publish(mails.sent({ reference: orderId, letter: "on-its-way" }));
      },
    )
    .on(
      orders.cancelled,
      { emits: [mails.sent], from: "beginning", concurrency: 16 },
      async ({ data: { orderId } }, ctx) => {
        const order = await ordersApi.order(orderId, ctx.signal);
        const to = order.customerId === undefined ? undefined : await ctx.documents(addressBook).get(order.customerId);
        if (!to) return;
        // Where orders are event-sourced, this is answered from a projection, which may not have come so far.
        if (!order.cancelled)
          throw new Failure("NOT_YET", `order ${orderId} is cancelled, and is shown as it was before`);
        const why = order.cancelled.detail;
        const text = `Dear ${to.name}, your order of ${order.placedAt} was cancelled: ${why}. You owe us nothing.`;
        await mailer.send({ to: to.email, subject: `Your order ${orderId}`, text }, ctx);
        ctx.publish(mails.sent({ reference: orderId, letter: "cancelled" }));
      },
    )
    .on(
      refunds.paid,
      { emits: [mails.sent], from: "beginning", concurrency: 64 },
      async ({ data: { correctionId, customerId, pence } }, ctx) => {
        const to = customerId === undefined ? undefined : await ctx.documents(addressBook).get(customerId);
        if (!to) return;
        const text = `Dear ${to.name}, thank you for the goods. ${pounds(pence)} are on their way back to you.`;
        await mailer.send({ to: to.email, subject: `Your return ${correctionId}`, text }, ctx);
        ctx.publish(mails.sent({ reference: correctionId, letter: "refund" }));
      },
    );
}
