import { afterEach, describe, expect, it } from "vitest";
import { embedded } from "../embedded/embedded.js";
import type { MillraceApp } from "./millrace.js";
import { orders, price, trialApp } from "./trial-app.js";

let app: MillraceApp;
afterEach(() => app.stop());

describe("an app's consumers", () => {
  it("tell how they stand, the failing one with what it cannot handle", async () => {
    app = trialApp({ dir: ":memory:", engine: embedded(":memory:") });
    await expect(app.consumers()).rejects.toMatchObject({ code: "APP_STOPPED" });
    await app.start();
    await app.publish(orders.placed({ orderId: "a", pence: price.dead }));
    await app.publish([orders.placed({ orderId: "a", pence: 1 }), orders.placed({ orderId: "b", pence: 1 })]);
    await app.settled();
    const standings = await app.consumers();
    expect(standings.map(({ consumer }) => consumer).sort()).toEqual(["mail", "orders", "payments"]);
    expect(standings.find(({ consumer }) => consumer === "payments")).toMatchObject({
      service: "payments",
      verdict: "blocked",
      dead: 1,
      following: 1,
      parked: 0,
      lagRecords: 0,
      inFlight: 0,
    });
    expect(standings.find(({ consumer }) => consumer === "mail")).toMatchObject({ verdict: "ok", dead: 0 });
    await app.stop();
    await expect(app.consumers()).rejects.toMatchObject({ code: "APP_STOPPED" });
  });
});
