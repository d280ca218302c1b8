import { command, event, topic } from "millrace";
import { z } from "zod";
import { Address, Item, OrderLine } from "./parts.js";

const orderId = z.string().min(1).max(64);
const customerId = z.string().min(1).max(64).optional();

/** Why an order came to nothing. */
export const CancelReason = z.enum(["stock", "payment", "fraud", "customer"]);

/**
 * The life of an order, owned by the orders service and keyed by order: every consumer sees the events of one order in
 * this order, also after retries, dead letters and redrives.
 */
export const orders = topic("orders", {
  key: "orderId",
  events: {
    /**
     * An order was taken. It carries everything that the seven services behind it need to begin at once, side by side:
     * none of them asks the orders service anything.
     */
    placed: event(
      "order.placed",
      z.object({
        orderId,
        /** Absent: a guest. */
        customerId,
        country: z.string().min(1).max(60),
        placedAt: z.iso.datetime(),
        lines: z.array(OrderLine).min(1),
        totalPence: z.int(),
        /** Absent: collected at the counter. */
        deliverTo: Address.optional(),
      }),
    ),
    /** Fraud, stock and payment have all said yes. It carries what loyalty needs, so that loyalty keeps no copies. */
    confirmed: event("order.confirmed", z.object({ orderId, customerId, totalPence: z.int() })),
    /**
     * One of them said no, or the customer changed their mind. Whoever did something for the order undoes it now: that
     * is the whole compensation, and nobody coordinates it.
     *
     * Deliberately thin, an event notification: see notifications/service.ts for a consumer that fetches the rest.
     */
    cancelled: event("order.cancelled", z.object({ orderId, reason: CancelReason })),
  },
});

/** What `POST /orders` takes. The caller chooses the id, so that sending it twice places one order. */
export const placeOrder = command(
  "place-order",
  z.object({
    orderId,
    customerId,
    country: z.string().min(1).max(60).default("United Kingdom"),
    lines: z
      .array(Item.extend({ quantity: z.int().min(1).max(1_000) }))
      .min(1)
      .max(100),
    deliverTo: Address.optional(),
  }),
  { key: "orderId" },
);

export const cancelOrder = command("cancel-order", z.object({ orderId }), { key: "orderId" });
