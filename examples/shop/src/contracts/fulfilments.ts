import { event, topic } from "millrace";
import { z } from "zod";
import { CancelReason } from "./orders.js";

/** How the fulfilment of orders ended; owned by the orders service, and used in the orchestration alone. */
export const fulfilments = topic("fulfilments", {
  key: "orderId",
  events: {
    /** Something could not be done, and everything that had been done is taken back. */
    failed: event(
      "fulfilment.failed",
      z.object({ orderId: z.string(), reason: CancelReason, detail: z.string().max(500) }),
    ),
  },
});
