import { event, topic } from "millrace";
import { z } from "zod";

/** What the fraud service thinks of an order. */
export const fraudChecks = topic("fraud-checks", {
  key: "orderId",
  events: {
    cleared: event("fraud.cleared", z.object({ orderId: z.string() })),
    suspected: event("fraud.suspected", z.object({ orderId: z.string(), why: z.string() })),
  },
});
