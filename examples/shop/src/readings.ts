import type { Hono } from "hono";
import type { App } from "millrace";
import { report } from "./analytics/report.js";
import { accounts } from "./loyalty/service.js";
import { orderBook } from "./orders/documents.js";
import type { Style } from "./style.js";

/**
 * The shop's reading routes. Commands go in through Millrace's own routes; reading is the user's own Hono, over
 * documents and SQL read models.
 */
export function readings(http: Hono, app: () => App, style: Style): void {
  // Event-sourced orders are read through a projection, which Millrace serves by itself: see shop.ts.
  if (style.orders === "documents")
    http.get("/orders/:orderId", async (context) => {
      const order = await app().documents(orderBook).get(context.req.param("orderId"));
      return order ? context.json(order) : context.json({ title: "no such order" }, 404);
    });
  http.get("/customers/:customerId/points", async (context) => {
    // Named, so that the points as they stood are shown while the service itself is down.
    const account = await app().documents(accounts, { service: "loyalty" }).get(context.req.param("customerId"));
    return context.json(account ?? { customerId: context.req.param("customerId"), points: 0 });
  });
  http.get("/report", async (context) => context.json(await report(app())));
}
