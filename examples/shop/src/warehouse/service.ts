import { documents, service } from "millrace";
import { z } from "zod";
import { orders } from "../contracts/orders.js";
import { shipments } from "../contracts/shipments.js";
import { printLabel } from "./label.js";

const Parcel = z.object({
  orderId: z.string(),
  /** Absent: collected at the counter. */
  label: z.string().optional(),
  pieces: z.int(),
  state: z.enum(["waiting", "prepared", "stopped"]),
  shipmentId: z.string().optional(),
});
/** What lies on the packing table. */
export const parcels = documents("parcels", Parcel, { id: "orderId" });

/**
 * Prints the label as soon as an order is placed, packs it once it is confirmed, unpacks it when it is cancelled.
 *
 * It keeps what it needs from `order.placed` (event-carried state), so that packing never waits for another service.
 */
export function warehouseService() {
  return service("warehouse")
    .on(orders.placed, { from: "beginning" }, ({ data: { orderId, deliverTo, lines } }, ctx) => {
      const pieces = lines.reduce((sum, line) => sum + line.quantity, 0);
      const label = deliverTo && printLabel(deliverTo);
      ctx.documents(parcels).put({ orderId, ...(label !== undefined && { label }), pieces, state: "waiting" });
    })
    .on(orders.confirmed, { emits: [shipments.prepared], from: "beginning" }, async ({ data: { orderId } }, ctx) => {
      const parcel = await ctx.documents(parcels).get(orderId);
      // Only after an operator skipped the order's first event: then nobody wants a parcel.
      if (!parcel) return;
      const shipmentId = ctx.id();
      ctx.documents(parcels).put({ ...parcel, state: "prepared", shipmentId });
      ctx.publish(shipments.prepared({ orderId, shipmentId, pieces: parcel.pieces }));
    })
    .on(orders.cancelled, { emits: [shipments.unpacked], from: "beginning" }, async ({ data: { orderId } }, ctx) => {
      const parcel = await ctx.documents(parcels).get(orderId);
      if (!parcel) return;
      ctx.documents(parcels).put({ ...parcel, state: "stopped" });
      const { shipmentId } = parcel;
      if (shipmentId !== undefined) ctx.publish(shipments.unpacked({ orderId, shipmentId }));
    });
}
