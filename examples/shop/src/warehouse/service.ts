import { type Context, type DataOf, documents, service } from "millrace";
import { z } from "zod";
import { orders } from "../contracts/orders.js";
import { packParcel, shipments, unpackParcel } from "../contracts/shipments.js";
import type { Fulfilment } from "../style.js";
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

/** Packs orders, and unpacks what is cancelled after all. */
export function warehouseService({ fulfilment }: { readonly fulfilment: Fulfilment }) {
  return fulfilment === "choreographed" ? byItself() : asTold();
}

/**
 * Prints the label as soon as an order is placed, packs it once it is confirmed, unpacks it when it is cancelled.
 *
 * It keeps what it needs from `order.placed` (event-carried state), so that packing never waits for another service.
 */
function byItself() {
  return service("warehouse")
    .on(orders.placed, { from: "beginning" }, ({ data }, ctx) =>
      ctx.documents(parcels).put({ ...parcelOf(data), state: "waiting" }),
    )
    .on(orders.confirmed, { emits: [shipments.prepared], from: "beginning" }, async ({ data: { orderId } }, ctx) => {
      const parcel = await ctx.documents(parcels).get(orderId);
      // Only after an operator skipped the order's first event: then nobody wants a parcel.
      if (parcel) pack(parcel, ctx);
    })
    .on(orders.cancelled, { emits: [shipments.unpacked], from: "beginning" }, unpack);
}

/** The command says all that packing needs, and comes when it is time to pack: there is nothing to keep until then. */
function asTold() {
  return service("warehouse")
    .handle(packParcel, { emits: [shipments.prepared] }, ({ data }, ctx) =>
      pack({ ...parcelOf(data), state: "waiting" }, ctx),
    )
    .handle(unpackParcel, { emits: [shipments.unpacked] }, unpack);
}

function parcelOf({ orderId, lines, deliverTo }: DataOf<typeof packParcel>) {
  const label = deliverTo && printLabel(deliverTo);
  const pieces = lines.reduce((sum, line) => sum + line.quantity, 0);
  return { orderId, ...(label !== undefined && { label }), pieces };
}

function pack(parcel: z.infer<typeof Parcel>, ctx: Context<"shipment.prepared">): void {
  const { orderId, pieces } = parcel;
  const shipmentId = ctx.id();
  ctx.documents(parcels).put({ ...parcel, state: "prepared", shipmentId });
  ctx.publish(shipments.prepared({ orderId, shipmentId, pieces }));
}

async function unpack({ data }: { readonly data: { orderId: string } }, ctx: Context<"shipment.unpacked">) {
  const { orderId } = data;
  const parcel = await ctx.documents(parcels).get(orderId);
  if (!parcel) return;
  ctx.documents(parcels).put({ ...parcel, state: "stopped" });
  const { shipmentId } = parcel;
  if (shipmentId !== undefined) ctx.publish(shipments.unpacked({ orderId, shipmentId }));
}
