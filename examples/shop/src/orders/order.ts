import { documents } from "millrace";
import { z } from "zod";
import { CancelReason } from "../contracts/orders.js";

/**
 * An order as the orders service sees it: its read model for `GET /orders/{id}`, and where the three answers are
 * collected that an order waits for.
 */
const Order = z.object({
  orderId: z.string(),
  customerId: z.string().optional(),
  country: z.string(),
  placedAt: z.string(),
  lines: z.int(),
  totalPence: z.int(),
  status: z.enum(["placed", "confirmed", "shipped", "cancelled"]),
  cleared: z.boolean(),
  reserved: z.boolean(),
  paid: z.boolean(),
  shipmentId: z.string().optional(),
  cancelled: z.object({ reason: CancelReason, detail: z.string() }).optional(),
});
export type Order = z.infer<typeof Order>;

export const orderBook = documents("order-book", Order, { id: "orderId" });

/** The three services that must say yes. */
export type Answer = "cleared" | "reserved" | "paid";

/**
 * The order after a yes. It is confirmed with the third one, in whatever order they come.
 *
 * A yes to an order that is cancelled by now changes nothing here: whoever said it hears `order.cancelled` too, and
 * undoes what it did.
 */
export function accept(order: Order, answer: Answer): Order {
  const heard = { ...order, [answer]: true };
  const complete = heard.status === "placed" && heard.cleared && heard.reserved && heard.paid;
  return complete ? { ...heard, status: "confirmed" } : heard;
}

/** The order after a no, or undefined when it is too late for one: it is cancelled already, or on the lorry. */
export function cancel(order: Order, cancelled: NonNullable<Order["cancelled"]>): Order | undefined {
  if (order.status === "cancelled" || order.status === "shipped") return undefined;
  return { ...order, status: "cancelled", cancelled };
}
