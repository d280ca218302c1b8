import { type Context, documents, type Refusal } from "millrace";
import { cancelOrder, confirmOrder, orders, placeOrder, shipOrder } from "../contracts/orders.js";
import type { Fulfilment } from "../style.js";
import type { Keeping } from "./keeping.js";
import { type Decide, evolveOrder, Order, type OrderMessage } from "./order.js";

/** Orders as documents: what is true now. `GET /orders/{id}` reads them as they are. */
export const orderBook = documents("order-book", Order, { id: "orderId" });

/**
 * Orders as documents. A handler reads the order, decides, writes it and says what happened, in one unit of work: there is
 * never a document without its event, and two answers at one moment cannot overwrite each other.
 */
export function orderDocuments(decide: Decide, fulfilment: Fulfilment): Keeping {
  const emits = [orders.placed, orders.confirmed, orders.shipped, orders.cancelled] as const;
  const change = async (
    command: OrderMessage & { readonly time: Date },
    ctx: Context<(typeof emits)[number]["type"]>,
  ): Promise<Refusal | undefined> => {
    const book = ctx.documents(orderBook);
    const before = await book.get(command.data.orderId);
    const decided = decide(command, before);
    if ("refused" in decided) return decided;
    let order = before;
    for (const event of decided) {
      order = evolveOrder(order, event);
      ctx.publish(event);
    }
    if (order !== undefined && order !== before) book.put(order);
    return undefined;
  };
  return {
    emits,
    tell: (message, ctx) => change({ ...message, time: ctx.now() }, ctx),
    keepIn(service) {
      const told = service.handle(placeOrder, { emits }, change).handle(cancelOrder, { emits }, change);
      // Where nobody conducts, the handlers of this service's own events say these, without a command.
      if (fulfilment === "choreographed") return told;
      return told.handle(confirmOrder, { emits }, change).handle(shipOrder, { emits }, change);
    },
  };
}
