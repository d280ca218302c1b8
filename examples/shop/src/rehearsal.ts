import { type Engine, embedded, type MillraceApp } from "millrace";
import { counterId, counters, openingShare } from "./inventory/counters.js";
import { catalogue } from "./orders/catalogue.js";
import { type Order, orderBook } from "./orders/order.js";
import { type Outside, startOutside } from "./outside/outside.js";
import type { Behaviour } from "./outside/outside-system.js";
import { type ShopOptions, shop } from "./shop.js";

/** The whole shop for a test: in memory, on free ports, with an outside world that does as it is told. */
export interface Rehearsal {
  readonly app: MillraceApp;
  readonly outside: Outside;
  /** Sends JSON to the shop's own HTTP server. */
  request(
    method: string,
    path: string,
    body?: unknown,
  ): Promise<{ readonly status: number; readonly body: Record<string, unknown> }>;
  /** Places an order over HTTP. */
  place(order: { readonly orderId: string } & Partial<Record<string, unknown>>): Promise<{ readonly status: number }>;
  /** The order's document, once all is at rest. */
  order(orderId: string): Promise<Order | undefined>;
  /** All pieces of an article, over all desks. */
  available(sku: string): Promise<number>;
  stop(): Promise<void>;
}

const desks = 4;

/** Opens the shop for a test. */
export async function rehearse(
  options: Partial<Pick<ShopOptions, "without" | "rules">> & {
    readonly engine?: Engine;
    readonly behaviour?: Partial<Behaviour>;
    readonly limitPence?: number;
  } = {},
): Promise<Rehearsal> {
  const { behaviour = {}, limitPence, engine = embedded(":memory:"), ...rest } = options;
  const outside = await startOutside({ behaviour, ...(limitPence !== undefined && { limitPence }) });
  const opening = (sku: string) => catalogue[sku]?.opening ?? 0;
  const app = shop({ engine, outside, desks: { desks, opening }, ...rest });
  await app.start();

  const request: Rehearsal["request"] = async (method, path, body) => {
    const response = await fetch(`${app.url}${path}`, {
      method,
      headers: { "content-type": "application/json" },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    return { status: response.status, body: (await response.json()) as Record<string, unknown> };
  };
  return {
    app,
    outside,
    request,
    place: (order) =>
      request("POST", "/orders", {
        customerId: "ada",
        country: "United Kingdom",
        lines: [{ sku: "teapot-blue", quantity: 2 }],
        ...order,
      }),
    async order(orderId) {
      await app.settled();
      return app.documents(orderBook).get(orderId);
    },
    async available(sku) {
      const of = (desk: number) => app.documents(counters).get(counterId(sku, desk));
      let sum = 0;
      for (let desk = 0; desk < desks; desk += 1)
        sum += (await of(desk))?.available ?? openingShare(sku, desk, { desks, opening });
      return sum;
    },
    async stop() {
      await app.stop();
      await outside.stop();
    },
  };
}
