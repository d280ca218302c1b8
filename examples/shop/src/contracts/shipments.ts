import { event, topic } from "millrace";
import { z } from "zod";

/** What the warehouse did with an order. */
export const shipments = topic("shipments", {
  key: "orderId",
  events: {
    prepared: event("shipment.prepared", z.object({ orderId: z.string(), shipmentId: z.string(), pieces: z.int() })),
    /** The compensation of `prepared`: the order was cancelled after it was packed. */
    unpacked: event("shipment.unpacked", z.object({ orderId: z.string(), shipmentId: z.string() })),
  },
});
