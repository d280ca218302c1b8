import { service } from "millrace";
import { corrections } from "../contracts/corrections.js";
import { blockCustomer, customers, registerCustomer } from "../contracts/customers.js";
import { invoices } from "../contracts/invoices.js";
import type { Style } from "../style.js";
import type { Catalogue } from "./catalogue.js";
import { choreographed } from "./choreography.js";
import { orderDocuments } from "./documents.js";
import { orderStreams } from "./event-sourced.js";
import { translate } from "./import.js";
import type { Keeping } from "./keeping.js";
import { orchestrated } from "./orchestration.js";
import { orderRules } from "./order.js";

/**
 * Takes orders, and knows how far each has come.
 *
 * It is put together from two choices: where orders are kept, and who leads an order to its end. The rules of orders
 * (`order.ts`) know of neither.
 */
export function ordersService({ catalogue, style }: { readonly catalogue: Catalogue; readonly style: Style }) {
  const rules = orderRules(catalogue);
  const keeping = style.orders === "documents" ? orderDocuments(rules, style.fulfilment) : orderStreams(rules);
  const orders = keeping.keepIn(fromOutside(keeping));
  return style.fulfilment === "choreographed" ? choreographed(orders, keeping) : orchestrated(orders, keeping);
}

/** What is the same in all styles: customers, and what comes from the old till. */
function fromOutside({ tell, emits }: Keeping) {
  return (
    service("orders")
      .owns(invoices)
      .handle(registerCustomer, { emits: [customers.registered] }, ({ data }, ctx) =>
        ctx.publish(customers.registered(data)),
      )
      .handle(blockCustomer, { emits: [customers.blocked] }, ({ data }, ctx) => ctx.publish(customers.blocked(data)))
      // The till's invoices become orders like any other, or corrections of the books.
      .on(
        invoices.recorded,
        {
          emits: [...emits, corrections.goodsReturned, corrections.goodsWrittenOff, corrections.booksAdjusted],
          from: "beginning",
        },
        async ({ data }, ctx) => {
          const message = translate(data);
          if (message.type === "record-order") await tell(message, ctx);
          else ctx.publish(message);
        },
      )
  );
}
