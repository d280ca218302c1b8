import { Hono } from "hono";
import { afterEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { command, event } from "../contract/event.js";
import { topic } from "../contract/topic.js";
import { embedded } from "../embedded/embedded.js";
import { type MillraceApp, millrace } from "../main/millrace.js";
import { silentLogger } from "../runtime/logger.js";
import { service } from "../service/declare.js";
import { virtualClock } from "../testing/virtual-clock.js";
import { commandRoutes } from "./command-routes.js";

let app: MillraceApp;
afterEach(() => app.stop());

const Order = z.object({ orderId: z.string() });
const orders = topic("orders", { key: "orderId", events: { lapsed: event("order.lapsed", Order) } });
const place = command("place-order", Order, { key: "orderId" });
const pay = command("pay-order", Order, { key: "orderId" });

describe("an operation whose handler armed a timer", () => {
  const handling = () =>
    service("orders")
      .handle(place, { emits: [orders.lapsed] }, ({ data }, ctx) =>
        ctx.after("1h", orders.lapsed(data), { name: data.orderId }),
      )
      .handle(pay, ({ data }, ctx) => ctx.cancel(data.orderId));

  async function placed() {
    const clock = virtualClock();
    const hearing = service("view").on(orders.lapsed, () => {});
    app = millrace({
      services: [handling(), hearing],
      engine: embedded(":memory:"),
      clock,
      logger: silentLogger,
      signals: false,
    });
    await app.start();
    const server = new Hono();
    server.route("/", commandRoutes(app, { routes: { "POST /orders/{orderId}": place } }));
    const response = await server.request("/orders/a", { method: "POST" });
    expect(response.status).toBe(202);
    await app.settled();
    const address = response.headers.get("location") as string;
    return { clock, state: async () => ((await (await server.request(address)).json()) as { state: string }).state };
  }

  it("is committed while the timer waits, and settled when what it published is handled", async () => {
    const { clock, state } = await placed();
    expect(await state()).toBe("committed");
    await clock.advance(3_599_000);
    expect(await state()).toBe("committed");
    await clock.advance(2_000);
    await app.settled();
    expect(await state()).toBe("settled");
  });

  it("is settled when the timer was cancelled, and other flows' timers do not count", async () => {
    const { state } = await placed();
    await app.send(place({ orderId: "b" }), { waitFor: "handled" });
    await app.send(pay({ orderId: "a" }), { waitFor: "handled" });
    expect(await state()).toBe("settled");
  });
});
