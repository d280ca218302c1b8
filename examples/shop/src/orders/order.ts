import type { MessageOf, Refusal } from "millrace";
import { z } from "zod";
import {
  type abandonOrder,
  CancelReason,
  type cancelOrder,
  type confirmOrder,
  orders,
  type placeOrder,
  type recordOrder,
  type shipOrder,
} from "../contracts/orders.js";
import type { Catalogue } from "./catalogue.js";

/** An order as the orders service knows it, and as `GET /orders/{id}` shows it. */
export const Order = z.object({
  orderId: z.string(),
  customerId: z.string().optional(),
  country: z.string(),
  placedAt: z.string(),
  lines: z.int(),
  totalPence: z.int(),
  status: z.enum(["placed", "confirmed", "shipped", "cancelled"]),
  shipmentId: z.string().optional(),
  cancelled: z.object({ reason: CancelReason, detail: z.string() }).optional(),
});
export type Order = z.infer<typeof Order>;

/** What an order can be told. */
export type OrderCommand =
  | typeof placeOrder
  | typeof recordOrder
  | typeof confirmOrder
  | typeof shipOrder
  | typeof cancelOrder
  | typeof abandonOrder;
export type OrderMessage = MessageOf<OrderCommand>;
/** What happens to an order. */
export type OrderEvent = MessageOf<(typeof orders)[keyof typeof orders]>;
/** The rules of orders. */
export type Decide = (
  command: OrderMessage & { readonly time: Date },
  order: Order | undefined,
) => readonly OrderEvent[] | Refusal;

/**
 * The rules of orders, all of them: what a command leads to. Pure, so that it does not matter whether orders are documents
 * or streams of events, nor who sends the commands.
 */
export function orderRules(catalogue: Catalogue): Decide {
  return (command, order) => {
    if (command.type === "place-order")
      return order ? { refused: "ORDER_EXISTS" } : priced(catalogue, command.data, command.time);
    if (command.type === "record-order") return order ? [] : [orders.placed(command.data)];
    if (!order) return { refused: "ORDER_UNKNOWN" };
    const { orderId, customerId, totalPence, status } = order;
    switch (command.type) {
      case "confirm-order":
        if (status !== "placed") return late(order);
        return [orders.confirmed({ orderId, ...(customerId !== undefined && { customerId }), totalPence })];
      case "ship-order":
        // Cancelled while it was being packed: then it is unpacked again.
        return status === "confirmed" ? [orders.shipped(command.data)] : late(order);
      case "cancel-order": {
        const detail = "the customer changed their mind";
        return isOver(order) ? late(order) : [orders.cancelled({ orderId, reason: "customer", detail })];
      }
      case "abandon-order":
        // Two may give it up at one moment, for two reasons: the first one counts.
        return isOver(order) ? [] : [orders.cancelled(command.data)];
    }
  };
}

function priced(
  catalogue: Catalogue,
  { lines: wanted, ...data }: MessageOf<typeof placeOrder>["data"],
  time: Date,
): readonly OrderEvent[] | Refusal {
  const unknown = wanted.find(({ sku }) => !Object.hasOwn(catalogue, sku));
  if (unknown) return { refused: "UNKNOWN_SKU", detail: `the catalogue has no ${unknown.sku}` };
  const lines = wanted.map(({ sku, quantity }) => ({
    sku,
    quantity,
    pence: (catalogue[sku]?.pence ?? 0) * quantity,
  }));
  const totalPence = lines.reduce((sum, line) => sum + line.pence, 0);
  return [orders.placed({ ...data, lines, totalPence, placedAt: time.toISOString() })];
}

/** Cancelled already, or on the lorry. */
function isOver({ status }: Order): boolean {
  return status === "cancelled" || status === "shipped";
}

function late({ status }: Order): Refusal {
  return { refused: "TOO_LATE", detail: `the order is ${status}` };
}

/** The order after an event. */
export function evolveOrder(order: Order | undefined, { type, data }: OrderEvent): Order {
  if (type === "order.placed") {
    const { lines, deliverTo: _, ...rest } = data;
    return { ...rest, lines: lines.length, status: "placed" };
  }
  if (!order) throw new Error(`${type} of an order that was never placed`);
  switch (type) {
    case "order.confirmed":
      return { ...order, status: "confirmed" };
    case "order.shipped":
      return { ...order, status: "shipped", shipmentId: data.shipmentId };
    case "order.cancelled":
      return { ...order, status: "cancelled", cancelled: { reason: data.reason, detail: data.detail } };
  }
}
