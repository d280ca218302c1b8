import { afterEach, describe, expect, it } from "vitest";
import { type Rehearsal, rehearse, styles } from "../rehearsal.js";

let shop: Rehearsal;
afterEach(() => shop.stop());

describe.each(styles.filter(({ orders }) => orders === "event-sourced"))("$fulfilment", (style) => {
  it("an order is read as of the command that placed it, and found by its status", async () => {
    shop = await rehearse({ style });
    for (const orderId of ["o-1", "o-2", "o-3"]) {
      const lines = [{ sku: "teapot-blue", quantity: 2 }];
      const { body } = await shop.request("POST", "/orders", { orderId, lines });
      const read = await shop.request("GET", `/orders/${orderId}?after=${body.token}`);
      expect(read).toMatchObject({ status: 200, body: { orderId, totalPence: 3_790 } });
    }
    await shop.app.settled();
    expect(await shop.request("GET", "/orders?status=shipped")).toMatchObject({
      body: { ids: ["o-1", "o-2", "o-3"], next: null },
    });
  });
});
