import { type Context, documents, service } from "millrace";
import { z } from "zod";
import { corrections } from "../contracts/corrections.js";
import { orders } from "../contracts/orders.js";
import { payments, refunds, returnPayment, takePayment } from "../contracts/payments.js";
import type { Fulfilment } from "../style.js";
import type { Provider } from "./provider.js";

const Charge = z.object({ orderId: z.string(), chargeId: z.string(), pence: z.int(), returned: z.boolean() });
/** What was taken for an order. */
export const charges = documents("charges", Charge, { id: "orderId" });

/**
 * Takes money for orders, and gives it back.
 *
 * The provider is another company's system, so its side of a call cannot be part of our commit: when the process dies
 * between the two, the handler runs again. That is what `ctx.idempotencyKey` is for: it is the same on every repeat, and
 * the provider charges once. `ctx.signal` ends a call that nobody waits for any more.
 */
export function paymentsService({
  provider,
  fulfilment,
}: {
  readonly provider: Provider;
  readonly fulfilment: Fulfilment;
}) {
  async function take({ data }: { readonly data: Bill }, ctx: Context<"payment.authorised" | "payment.refused">) {
    const { orderId, totalPence } = data;
    if (totalPence === 0) return ctx.publish(payments.authorised({ orderId, pence: 0 }));
    const answer = await provider.charge({ reference: orderId, pence: totalPence }, ctx);
    if ("refused" in answer) return ctx.publish(payments.refused({ orderId, why: answer.refused }));
    const { chargeId } = answer;
    ctx.documents(charges).put({ orderId, chargeId, pence: totalPence, returned: false });
    ctx.publish(payments.authorised({ orderId, pence: totalPence }));
  }

  async function giveBack({ data }: { readonly data: { orderId: string } }, ctx: Context<"payment.refunded">) {
    // What is about one order comes in order: whatever was to be charged for it, was charged before this.
    const charge = await ctx.documents(charges).get(data.orderId);
    if (!charge || charge.returned) return;
    await provider.refund({ reference: charge.chargeId, pence: charge.pence }, ctx);
    ctx.documents(charges).put({ ...charge, returned: true });
    ctx.publish(payments.refunded({ orderId: data.orderId, pence: charge.pence }));
  }

  const taking = { emits: [payments.authorised, payments.refused], from: "beginning", concurrency: 64 } as const;
  const givingBack = { emits: [payments.refunded], from: "beginning", concurrency: 64 } as const;
  const till = service("payments").on(
    corrections.goodsReturned,
    { emits: [refunds.paid], from: "beginning", concurrency: 64 },
    async ({ data: { correctionId, customerId, totalPence } }, ctx) => {
      const pence = -totalPence;
      if (pence <= 0) return;
      await provider.refund({ reference: correctionId, pence }, ctx);
      ctx.publish(refunds.paid({ correctionId, ...(customerId !== undefined && { customerId }), pence }));
    },
  );
  return fulfilment === "choreographed"
    ? till.on(orders.placed, taking, take).on(orders.cancelled, givingBack, giveBack)
    : till.handle(takePayment, taking, take).handle(returnPayment, givingBack, giveBack);
}

interface Bill {
  readonly orderId: string;
  readonly totalPence: number;
}
