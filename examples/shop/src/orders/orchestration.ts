import { type DataOf, type Service, saga } from "millrace";
import { checkOrder, fraudChecks } from "../contracts/fraud-checks.js";
import { fulfilments } from "../contracts/fulfilments.js";
import { abandonOrder, confirmOrder, orders, shipOrder } from "../contracts/orders.js";
import { payments, returnPayment, takePayment } from "../contracts/payments.js";
import { packParcel, shipments, unpackParcel } from "../contracts/shipments.js";
import { releaseStock, reserveStock, stock } from "../contracts/stock.js";
import type { Keeping } from "./keeping.js";

type Placed = DataOf<typeof orders.placed>;
type Failed = DataOf<typeof fulfilments.failed>;

/** What an order's saga knows: what its commands need, and later why it came to nothing. */
interface State extends Pick<Placed, "orderId" | "customerId" | "country" | "totalPence" | "deliverTo"> {
  readonly lines: readonly { readonly sku: string; readonly quantity: number }[];
  readonly shipmentId?: string;
  readonly no?: Pick<Failed, "reason" | "detail">;
}

/**
 * A process with a conductor: the way of an order from top to bottom, and beside each step how it is taken back. When one
 * fails, those above it are taken back from bottom to top.
 *
 * The last step is the pivot: whether an order may still be cancelled is for the order to say, and once it is on the lorry
 * nothing is taken back any more.
 */
export const fulfilment = saga("fulfilment", {
  startsOn: orders.placed,
  key: "orderId",
  from: "beginning",
  state: begin,
})
  .step("check", {
    send: ({ orderId, customerId, country, totalPence }) => checkOrder({ orderId, customerId, country, totalPence }),
    done: fraudChecks.cleared,
    failed: fraudChecks.suspected,
    onFailed: (state, { data }) => ({ ...state, no: { reason: "fraud", detail: data.why } }),
    undo: "nothing",
  })
  .step("pay", {
    send: ({ orderId, totalPence }) => takePayment({ orderId, totalPence }),
    done: payments.authorised,
    failed: payments.refused,
    onFailed: (state, { data }) => ({ ...state, no: { reason: "payment", detail: data.why } }),
    undo: ({ orderId }) => returnPayment({ orderId }),
  })
  .step("reserve", {
    send: ({ orderId, lines }) => reserveStock({ orderId, lines: [...lines] }),
    done: stock.reserved,
    failed: stock.short,
    onFailed: (state, { data }) => ({ ...state, no: { reason: "stock", detail: `not enough ${data.sku}` } }),
    undo: ({ orderId }) => releaseStock({ orderId }),
  })
  // Refused when the customer has cancelled it meanwhile. Loyalty hears it, and hears order.cancelled, too.
  .step("confirm", { send: ({ orderId }) => confirmOrder({ orderId }), done: orders.confirmed, undo: "nothing" })
  .step("pack", {
    send: ({ orderId, lines, deliverTo }) => packParcel({ orderId, lines: [...lines], deliverTo }),
    done: shipments.prepared,
    onDone: (state, { data }) => ({ ...state, shipmentId: data.shipmentId }),
    undo: ({ orderId }) => unpackParcel({ orderId }),
  })
  .step("ship", {
    send: ({ orderId, shipmentId = "" }) => shipOrder({ orderId, shipmentId }),
    done: orders.shipped,
  })
  .abortOn(orders.cancelled)
  .aborted(({ orderId, no }, { reason: detail }) => fulfilments.failed({ orderId, reason: "shop", detail, ...no }));

function begin({ data }: { readonly data: Placed }): State {
  const { orderId, customerId, country, totalPence, deliverTo } = data;
  const lines = data.lines.map(({ sku, quantity }) => ({ sku, quantity }));
  return { orderId, customerId, country, totalPence, deliverTo, lines };
}

/** The orders service conducts: it owns the saga, and cancels the order once everything is taken back. */
export function orchestrated(service: Service, { tell, emits }: Keeping): Service {
  return service
    .owns(fulfilment, fulfilments)
    .on(fulfilments.failed, { emits, from: "beginning" }, async ({ data }, ctx) => {
      await tell(abandonOrder(data), ctx);
    });
}
