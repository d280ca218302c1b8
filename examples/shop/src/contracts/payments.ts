import { event, topic } from "millrace";
import { z } from "zod";

/** Money of orders. */
export const payments = topic("payments", {
  key: "orderId",
  events: {
    authorised: event("payment.authorised", z.object({ orderId: z.string(), pence: z.int() })),
    refused: event("payment.refused", z.object({ orderId: z.string(), why: z.string() })),
    /** The compensation of `authorised`: the same pence, back. */
    refunded: event("payment.refunded", z.object({ orderId: z.string(), pence: z.int() })),
  },
});

/** Money of goods that came back. */
export const refunds = topic("refunds", {
  key: "correctionId",
  events: {
    paid: event(
      "refund.paid",
      z.object({ correctionId: z.string(), customerId: z.string().optional(), pence: z.int().positive() }),
    ),
  },
});
