import { Hono } from "hono";
import { afterEach, describe, expect, it } from "vitest";
import { embedded } from "../embedded/embedded.js";
import { orders, placeOrder, trialApp } from "../main/trial-app.js";
import { commandRoutes } from "./command-routes.js";

const app = trialApp({ dir: ":memory:", engine: embedded(":memory:") });
afterEach(() => app.stop());

describe("command routes on a server of one's own", () => {
  it("answer below the path they are mounted at, and 503 while the app does not run", async () => {
    const server = new Hono();
    server.route("/api/v1", commandRoutes(app, { routes: { "POST /orders": placeOrder } }));
    const ask = (path: string, body: unknown) =>
      server.request(path, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(body),
      });

    const early = await ask("/api/v1/orders", { orderId: "o-1", pence: 1 });
    expect(early.status).toBe(503);
    expect(early.headers.get("retry-after")).toBe("1");
    expect(await early.json()).toMatchObject({ code: "APP_STOPPED" });

    await app.start();
    const response = await ask("/api/v1/orders", { orderId: "o-1", pence: 1 });
    expect(response.status).toBe(202);
    const address = response.headers.get("location") as string;
    expect(address).toMatch(/^\/api\/v1\/operations\/\S{36}$/);
    await app.settled();
    expect(await (await server.request(address)).json()).toMatchObject({ state: "settled", links: { self: address } });
    expect(await (await server.request("/api/v1/openapi.json")).json()).toMatchObject({
      servers: [{ url: "/api/v1" }],
    });
    expect((await ask("/api/v1/orders", { orderId: "o-1" })).status).toBe(422);
    expect((await server.request("/elsewhere")).status).toBe(404);
  });
});

describe("routes", () => {
  it.each<[string, Parameters<typeof commandRoutes>[1]["routes"], string]>([
    ["an event", { "POST /orders": orders.placed }, "which is an event"],
    [
      "two that match the same requests",
      { "POST /orders/{a}": placeOrder, "POST /orders/:b": placeOrder },
      "same requests",
    ],
    ["a parameter that is none", { "POST /orders/{a-b}": placeOrder }, "has a parameter"],
  ])("refuse %s, naming the route", (_, routes, message) => {
    expect(() => commandRoutes(app, { routes })).toThrow(
      expect.objectContaining({ code: "OPTION_INVALID", message: expect.stringContaining(message) }),
    );
  });

  it("refuse a command that nobody handles when the app starts", async () => {
    const other = trialApp({
      dir: ":memory:",
      engine: embedded(":memory:"),
      services: [],
      http: { routes: { "POST /orders": placeOrder } },
    });
    await expect(other.start()).rejects.toMatchObject({
      code: "OPTION_INVALID",
      message: expect.stringContaining("which no service handles"),
    });
  });
});
