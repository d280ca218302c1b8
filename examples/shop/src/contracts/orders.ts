import { command, event, topic } from "millrace";
import { z } from "zod";
import { Address, Item, OrderLine } from "./parts.js";

const orderId = z.string().min(1).max(64);
const customerId = z.string().min(1).max(64).optional();

/** Why an order came to nothing. "shop": an operator gave it up. */
export const CancelReason = z.enum(["stock", "payment", "fraud", "customer", "shop"]);

const Placed = z.object({
  orderId,
  /** Absent: a guest. */
  customerId,
  country: z.string().min(1).max(60),
  placedAt: z.iso.datetime(),
  lines: z.array(OrderLine).min(1),
  totalPence: z.int(),
  /** Absent: collected at the counter. */
  deliverTo: Address.optional(),
});

/** Why an order was cancelled, in a word for programs and in words for people. */
const Cancelled = z.object({ orderId, reason: CancelReason, detail: z.string().max(500) });

/**
 * The life of an order, owned by the orders service and keyed by order: every consumer sees the events of one order in
 * this order, also after retries, dead letters and redrives.
 */
export const orders = topic("orders", {
  key: "orderId",
  events: {
    /**
     * An order was taken. It carries everything that the services behind it need: none of them asks the orders service
     * anything.
     */
    placed: event("order.placed", Placed),
    /** Fraud, stock and payment have all said yes. It carries what loyalty needs, so that loyalty keeps no copies. */
    confirmed: event("order.confirmed", z.object({ orderId, customerId, totalPence: z.int() })),
    /** On the lorry: it is too late to cancel it. */
    shipped: event("order.shipped", z.object({ orderId, shipmentId: z.string() })),
    /**
     * One of them said no, or the customer changed their mind. In the choreography this is the whole compensation: whoever
     * did something for the order undoes it now, and nobody coordinates it. In the orchestration the saga has seen to that.
     *
     * Deliberately thin, an event notification: see notifications/service.ts for a consumer that fetches the rest.
     */
    cancelled: event("order.cancelled", Cancelled),
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

/** An order of another system, as it happened there: prices and time are given. */
export const recordOrder = command("record-order", Placed, { key: "orderId" });

/** Whoever leads an order to its end tells the orders service how far it has come. Not for customers. */
export const confirmOrder = command("confirm-order", z.object({ orderId }), { key: "orderId" });
export const shipOrder = command("ship-order", z.object({ orderId, shipmentId: z.string() }), { key: "orderId" });
export const abandonOrder = command("abandon-order", Cancelled, { key: "orderId" });
