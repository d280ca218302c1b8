import { command, event, topic } from "millrace";
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

/** Takes the money of an order, and gives it back; only the fulfilment saga sends these. */
export const takePayment = command("take-payment", z.object({ orderId: z.string(), totalPence: z.int() }), {
  key: "orderId",
});
export const returnPayment = command("return-payment", z.object({ orderId: z.string() }), { key: "orderId" });

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
