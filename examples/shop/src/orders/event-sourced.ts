import { aggregate, projection } from "millrace";
import {
  abandonOrder,
  cancelOrder,
  confirmOrder,
  orders,
  placeOrder,
  recordOrder,
  shipOrder,
} from "../contracts/orders.js";
import type { Keeping } from "./keeping.js";
import { type Decide, evolveOrder, Order } from "./order.js";

/**
 * The orders as `GET /orders/{id}` shows them: the fold of their events, by the same function that the aggregate uses. A
 * moment behind it.
 */
export const orderSummary = projection("order-summary", { version: 1, row: Order, indexes: ["status"] })
  .on(orders.placed, evolveOrder)
  .on(orders.confirmed, evolveOrder)
  .on(orders.shipped, evolveOrder)
  .on(orders.cancelled, evolveOrder);

/**
 * Orders as events: the topic `orders` is where they are, and nobody writes it but the aggregate. So whoever wants an order
 * changed sends it a command, handlers of this service too.
 */
export function orderStreams(decide: Decide): Keeping {
  const commands = [placeOrder, recordOrder, confirmOrder, shipOrder, cancelOrder, abandonOrder] as const;
  const order = aggregate(orders, {
    commands,
    initialState: (): Order | undefined => undefined,
    decide,
    evolve: evolveOrder,
  });
  return {
    emits: commands,
    tell: (message, ctx) => ctx.send(message),
    keepIn: (service) => service.owns(order, orderSummary),
  };
}
