import { command, event, topic } from "millrace";
import { z } from "zod";
import { Address, Item } from "./parts.js";

/** What the warehouse did with an order. */
export const shipments = topic("shipments", {
  key: "orderId",
  events: {
    prepared: event("shipment.prepared", z.object({ orderId: z.string(), shipmentId: z.string(), pieces: z.int() })),
    /** The compensation of `prepared`: the order was cancelled after it was packed. */
    unpacked: event("shipment.unpacked", z.object({ orderId: z.string(), shipmentId: z.string() })),
  },
});

/** Packs an order, and unpacks it; only the fulfilment saga sends these. */
export const packParcel = command(
  "pack-parcel",
  z.object({ orderId: z.string(), lines: z.array(Item).min(1), deliverTo: Address.optional() }),
  { key: "orderId" },
);
export const unpackParcel = command("unpack-parcel", z.object({ orderId: z.string() }), { key: "orderId" });
