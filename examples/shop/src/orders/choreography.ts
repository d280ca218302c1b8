import { documents, type Service } from "millrace";
import { z } from "zod";
import { fraudChecks } from "../contracts/fraud-checks.js";
import { abandonOrder, confirmOrder, shipOrder } from "../contracts/orders.js";
import { payments } from "../contracts/payments.js";
import { shipments } from "../contracts/shipments.js";
import { stock } from "../contracts/stock.js";
import type { Keeping, OrderContext } from "./keeping.js";

const answer = z.boolean().optional();
const Answers = z.object({ orderId: z.string(), cleared: answer, reserved: answer, paid: answer });
/** Who has said yes so far. */
const answers = documents("answers", Answers, { id: "orderId" });

/**
 * A process without a conductor. The orders service calls nobody: it says `order.placed` and listens. Fraud, inventory and
 * payments answer in their own events, side by side; with the third yes the order is confirmed, in whatever order they
 * come, with the first no it is cancelled.
 *
 * Whoever said yes to an order that is cancelled hears `order.cancelled` too, and undoes what it did.
 */
export function choreographed(service: Service, { tell, emits }: Keeping): Service {
  const heard = { emits, from: "beginning" } as const;
  const yes = async (given: z.infer<typeof Answers>, ctx: OrderContext) => {
    const before = await ctx.documents(answers).get(given.orderId);
    const known = { ...before, ...given };
    ctx.documents(answers).put(known);
    if (known.cleared && known.reserved && known.paid) await tell(confirmOrder({ orderId: given.orderId }), ctx);
  };
  return service
    .on(fraudChecks.cleared, heard, ({ data: { orderId } }, ctx) => yes({ orderId, cleared: true }, ctx))
    .on(stock.reserved, heard, ({ data: { orderId } }, ctx) => yes({ orderId, reserved: true }, ctx))
    .on(payments.authorised, heard, ({ data: { orderId } }, ctx) => yes({ orderId, paid: true }, ctx))
    .on(fraudChecks.suspected, heard, async ({ data: { orderId, why } }, ctx) => {
      await tell(abandonOrder({ orderId, reason: "fraud", detail: why }), ctx);
    })
    .on(stock.short, heard, async ({ data: { orderId, sku } }, ctx) => {
      await tell(abandonOrder({ orderId, reason: "stock", detail: `not enough ${sku}` }), ctx);
    })
    .on(payments.refused, heard, async ({ data: { orderId, why } }, ctx) => {
      await tell(abandonOrder({ orderId, reason: "payment", detail: why }), ctx);
    })
    .on(shipments.prepared, heard, async ({ data: { orderId, shipmentId } }, ctx) => {
      await tell(shipOrder({ orderId, shipmentId }), ctx);
    });
}
