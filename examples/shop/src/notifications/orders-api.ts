import { z } from "zod";

const OrderView = z.object({
  orderId: z.string(),
  customerId: z.string().optional(),
  totalPence: z.int(),
  placedAt: z.string(),
  status: z.string(),
  cancelled: z.object({ reason: z.string(), detail: z.string() }).optional(),
});
/** Of an order, as the orders service shows it, what a letter needs. */
export type OrderView = z.infer<typeof OrderView>;

/** The orders service, asked over HTTP. */
export interface OrdersApi {
  order(orderId: string, signal: AbortSignal): Promise<OrderView>;
}

/**
 * The orders service behind a URL.
 *
 * @param url asked for at each call: in this example the server gets its port only after the services are made.
 */
export function httpOrdersApi(url: () => string | undefined): OrdersApi {
  return {
    async order(orderId, signal) {
      const response = await fetch(`${url() ?? "http://shop-is-stopped"}/orders/${encodeURIComponent(orderId)}`, {
        signal,
      });
      if (!response.ok) throw new Error(`the orders service answered ${response.status}`);
      return OrderView.parse(await response.json());
    },
  };
}
