import { command, event, topic } from "millrace";
import { z } from "zod";
import { Item } from "./parts.js";

const orderId = z.string().min(1).max(64);

/** What inventory did for an order. All or nothing: an order is reserved whole, or short. */
export const stock = topic("stock", {
  key: "orderId",
  events: {
    reserved: event("stock.reserved", z.object({ orderId })),
    short: event("stock.short", z.object({ orderId, sku: z.string() })),
    released: event("stock.released", z.object({ orderId })),
  },
});

/**
 * Inventory's own working papers, which no other service may read: what is asked of each desk.
 *
 * Keyed by desk on purpose. A lane is serial, so the counters behind a desk have one writer at a time; see
 * inventory/service.ts.
 */
export const deskWork = topic("desk-work", {
  key: "desk",
  partitions: 16,
  internal: true,
  events: {
    reservationRequested: event(
      "reservation.requested",
      z.object({ desk: z.int(), orderId, items: z.array(Item.extend({ quantity: z.int().positive() })) }),
    ),
    releaseRequested: event("release.requested", z.object({ desk: z.int(), orderId })),
    /** Signed: goods that came in, or that are gone. */
    restockRequested: event("restock.requested", z.object({ desk: z.int(), items: z.array(Item) })),
  },
});

/** Sets pieces aside for an order, and gives them back; only the fulfilment saga sends these. */
export const reserveStock = command("reserve-stock", z.object({ orderId, lines: z.array(Item).min(1) }), {
  key: "orderId",
});
export const releaseStock = command("release-stock", z.object({ orderId }), { key: "orderId" });

/** A supplier's delivery: `POST /stock/{sku}/deliveries`. */
export const deliverStock = command(
  "deliver-stock",
  z.object({ sku: z.string().min(1).max(40), quantity: z.int().min(1).max(1_000_000) }),
  { key: "sku" },
);
