import { command, event, topic } from "millrace";
import { z } from "zod";

/** What the fraud service thinks of an order. */
export const fraudChecks = topic("fraud-checks", {
  key: "orderId",
  events: {
    cleared: event("fraud.cleared", z.object({ orderId: z.string() })),
    suspected: event("fraud.suspected", z.object({ orderId: z.string(), why: z.string() })),
  },
});

/** Asks for a check; only the fulfilment saga does. */
export const checkOrder = command(
  "check-order",
  z.object({
    orderId: z.string(),
    customerId: z.string().optional(),
    country: z.string().min(1).max(60),
    totalPence: z.int(),
  }),
  { key: "orderId" },
);
