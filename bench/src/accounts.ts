import { documents, event, type ReceivedOf, type Service, service, topic } from "millrace";
import { z } from "zod";
import { orders } from "./order.js";

/** What a customer has spent. */
export const accounts = documents(
  "accounts",
  z.object({ customerId: z.string(), orders: z.int(), spentPence: z.int(), lastOrderId: z.string() }),
  { id: "customerId" },
);

/** What the handler under test publishes. */
const payments = topic("payments", {
  key: "customerId",
  events: {
    taken: event("payment.taken", z.object({ customerId: z.string(), orderId: z.string(), pence: z.int() })),
  },
});

/** What the handler is about to do. */
export interface Paying {
  readonly event: ReceivedOf<typeof orders.placed>;
  readonly attempt: number;
  /** Orders of this customer that were paid before. */
  readonly before: number;
}

/**
 * The service under test: for each order it reads the customer's account, writes it, and publishes that it was paid.
 *
 * @param watch called by every run of the handler once it has read the account; throws when the run is to fail
 */
export function paymentsService(watch: (paying: Paying) => void): Service {
  return service("payments").on(orders.placed, { emits: [payments.taken], from: "beginning" }, async (event, ctx) => {
    const { customerId, orderId, totalPence } = event.data;
    const account = await ctx.documents(accounts).get(customerId);
    watch({ event, attempt: ctx.attempt, before: account?.orders ?? 0 });
    ctx.documents(accounts).put({
      customerId,
      orders: (account?.orders ?? 0) + 1,
      spentPence: (account?.spentPence ?? 0) + totalPence,
      lastOrderId: orderId,
    });
    ctx.publish(payments.taken({ customerId, orderId, pence: totalPence }));
  });
}
