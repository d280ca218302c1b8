import { type Engine, embedded, type MillraceApp } from "millrace";
import { counterId, counters, openingShare } from "./inventory/counters.js";
import { catalogue } from "./orders/catalogue.js";
import type { Order } from "./orders/order.js";
import { type Outside, startOutside } from "./outside/outside.js";
import type { Behaviour } from "./outside/outside-system.js";
import { type ShopOptions, shop, without } from "./shop.js";
import type { Style } from "./style.js";

/** The whole shop for a test: in memory, on free ports, with an outside world that does as it is told. */
export interface Rehearsal {
  /** Another one after `reopen`. */
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
  /** The order as `GET /orders/{id}` shows it, once all is at rest. */
  order(orderId: string): Promise<Order | undefined>;
  /** All pieces of an article, over all desks. */
  available(sku: string): Promise<number>;
  /** Stops the shop and opens it again with all its services, on the same engine: one with a folder. */
  reopen(): Promise<void>;
  stop(): Promise<void>;
}

/** All styles that the shop is built in. */
export const styles: readonly Style[] = (["choreographed", "orchestrated"] as const).flatMap((fulfilment) =>
  (["documents", "event-sourced"] as const).map((orders): Style => ({ fulfilment, orders })),
);

const desks = 4;

/** Opens the shop for a test. */
export async function rehearse(
  options: Partial<Pick<ShopOptions, "style" | "rules">> & {
    readonly engine?: Engine;
    /** A service that is not deployed until the shop is reopened. */
    readonly missing?: string;
    readonly behaviour?: Partial<Behaviour>;
    readonly limitPence?: number;
  } = {},
): Promise<Rehearsal> {
  const { behaviour = {}, limitPence, missing, engine = embedded(":memory:"), ...rest } = options;
  const outside = await startOutside({ behaviour, ...(limitPence !== undefined && { limitPence }) });
  const opening = (sku: string) => catalogue[sku]?.opening ?? 0;
  const open = () => shop({ engine, outside, desks: { desks, opening }, ...rest });
  let app = open();
  await app.start(missing === undefined ? {} : without(missing));

  const request: Rehearsal["request"] = async (method, path, body) => {
    const response = await fetch(`${app.url}${path}`, {
      method,
      headers: { "content-type": "application/json" },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    return { status: response.status, body: (await response.json()) as Record<string, unknown> };
  };
  return {
    get app() {
      return app;
    },
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
      const { status, body } = await request("GET", `/orders/${orderId}`);
      return status === 404 ? undefined : (body as unknown as Order);
    },
    async available(sku) {
      const of = (desk: number) => app.documents(counters).get(counterId(sku, desk));
      let sum = 0;
      for (let desk = 0; desk < desks; desk += 1)
        sum += (await of(desk))?.available ?? openingShare(sku, desk, { desks, opening });
      return sum;
    },
    async reopen() {
      await app.stop();
      app = open();
      await app.start();
    },
    async stop() {
      await app.stop();
      await outside.stop();
    },
  };
}
