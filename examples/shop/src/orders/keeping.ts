import type { Context, Service } from "millrace";
import type { orders } from "../contracts/orders.js";
import type { OrderCommand, OrderMessage } from "./order.js";

/** The contracts of what a handler emits that changes an order: the order's events, or commands to it. */
export type OrderContract = OrderCommand | (typeof orders)["placed" | "confirmed" | "shipped" | "cancelled"];

/** A handler that may change orders. */
export type OrderContext = Context<OrderContract["type"]>;

/** How the orders service keeps its orders. There are two: `documents.ts` and `event-sourced.ts`. */
export interface Keeping {
  /** Gives the service what takes the commands of orders. */
  keepIn(service: Service): Service;
  /** Tells an order something from within a handler of the orders service. A refusal changes nothing. */
  tell(message: OrderMessage, ctx: OrderContext): unknown;
  /** What a handler that calls `tell` emits. */
  readonly emits: readonly OrderContract[];
}
