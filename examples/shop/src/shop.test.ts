import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { embedded } from "millrace";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { accounts } from "./loyalty/service.js";
import { charges } from "./payments/service.js";
import { type Rehearsal, rehearse, styles } from "./rehearsal.js";
import { type Style, styleName } from "./style.js";
import { parcels } from "./warehouse/service.js";

let style: Style;
let shop: Rehearsal;
const ada = { name: "Ada", email: "ada@customers.example", country: "United Kingdom" };

async function open(options?: Parameters<typeof rehearse>[0]): Promise<void> {
  shop = await rehearse({ style, ...options });
  expect(await shop.request("PUT", "/customers/ada", ada)).toMatchObject({ status: 202 });
  await shop.app.settled();
}

afterEach(() => shop.stop());

/** What the outside world and every service hold of an order that came to nothing: nothing. */
async function expectNothingLeft(orderId: string): Promise<void> {
  const { takenPence, returnedPence } = shop.outside.provider.state();
  expect(returnedPence).toBe(takenPence);
  expect((await shop.app.documents(charges).get(orderId))?.returned ?? true).toBe(true);
  expect((await shop.app.documents(accounts).get("ada"))?.points ?? 0).toBe(0);
  expect((await shop.app.documents(parcels).get(orderId))?.state ?? "stopped").toBe("stopped");
}

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "millrace-shop-"));
});
afterAll(() => rm(dir, { recursive: true }));

describe.each(styles)("$fulfilment, orders as $orders", (one) => {
  beforeAll(() => {
    style = one;
  });

  describe("an order that everybody says yes to", () => {
    beforeEach(() => open());

    it("runs through eight services from one POST", async () => {
      expect(await shop.place({ orderId: "o-1" })).toMatchObject({ status: 202 });

      expect(await shop.order("o-1")).toMatchObject({
        status: "shipped",
        totalPence: 3_790,
        shipmentId: expect.any(String),
      });
      expect(await shop.available("teapot-blue")).toBe(49_998);
      expect(shop.outside.provider.state()).toEqual({ charges: 1, takenPence: 3_790, returnedPence: 0 });
      expect(await shop.request("GET", "/customers/ada/points")).toMatchObject({ body: { points: 37 } });
      expect(shop.outside.mail.state()).toMatchObject({
        sent: 1,
        last: [{ to: ada.email, subject: "Your order o-1" }],
      });
      expect(await shop.app.documents(parcels).get("o-1")).toMatchObject({ state: "prepared", pieces: 2 });
      const month = new Date().toISOString().slice(0, 7);
      expect(await shop.request("GET", "/report")).toMatchObject({
        body: { invoices: 1, lines: 1, pence: 3_790, topCustomers: [["ada", 3_790]], months: { [month]: 3_790 } },
      });
    });

    it("is placed once, however often it is sent", async () => {
      await Promise.all([
        shop.place({ orderId: "o-1" }),
        shop.place({ orderId: "o-1" }),
        shop.place({ orderId: "o-1" }),
      ]);
      expect(await shop.order("o-1")).toMatchObject({ status: "shipped" });
      expect(shop.outside.provider.state()).toMatchObject({ charges: 1 });
    });

    it("is refused before anything happens when the catalogue has no such article", async () => {
      await shop.place({ orderId: "o-1", lines: [{ sku: "unicorn", quantity: 1 }] });
      expect(await shop.order("o-1")).toBeUndefined();
    });

    it("cannot be cancelled when it is on the lorry", async () => {
      await shop.place({ orderId: "o-1" });
      await shop.app.settled();
      await shop.request("POST", "/orders/o-1/cancel", {});
      expect(await shop.order("o-1")).toMatchObject({ status: "shipped" });
    });
  });

  describe("an order that somebody says no to is undone by all who had said yes", () => {
    it("for want of stock", async () => {
      await open();
      await shop.place({
        orderId: "o-1",
        lines: [
          { sku: "cup-red", quantity: 1 },
          { sku: "globe-antique", quantity: 12 },
        ],
      });

      expect(await shop.order("o-1")).toMatchObject({ status: "cancelled", cancelled: { reason: "stock" } });
      expect(await shop.available("globe-antique")).toBe(10);
      expect(await shop.available("cup-red")).toBe(200_000);
      expect(shop.outside.mail.state().last).toMatchObject([
        { text: expect.stringContaining("not enough globe-antique") },
      ]);
      await expectNothingLeft("o-1");
    });

    it("for want of money", async () => {
      await open({ limitPence: 1_000 });
      await shop.place({ orderId: "o-1" });

      expect(await shop.order("o-1")).toMatchObject({ status: "cancelled", cancelled: { reason: "payment" } });
      expect(await shop.available("teapot-blue")).toBe(50_000);
      await expectNothingLeft("o-1");
    });

    it("for want of trust", async () => {
      await open({ rules: { guestPenceMax: 100, abroadPenceMax: 100 } });
      await shop.place({ orderId: "o-1", country: "France" });

      expect(await shop.order("o-1")).toMatchObject({ status: "cancelled", cancelled: { reason: "fraud" } });
      expect(await shop.available("teapot-blue")).toBe(50_000);
      await expectNothingLeft("o-1");
    });

    it("when the customer cancels it in time", async () => {
      // Without a warehouse it stays confirmed, so that there is time.
      await open({ missing: "warehouse", engine: embedded(join(dir, styleName(style))) });
      await shop.place({ orderId: "o-1" });
      expect(await shop.order("o-1")).toMatchObject({ status: "confirmed" });
      await shop.request("POST", "/orders/o-1/cancel", {});

      expect(await shop.order("o-1")).toMatchObject({ status: "cancelled", cancelled: { reason: "customer" } });
      // The orchestration takes back from the last step to the first: what was paid waits for the warehouse.
      if (style.fulfilment === "orchestrated")
        expect(shop.outside.provider.state()).toMatchObject({ returnedPence: 0 });
      await shop.reopen();
      expect(await shop.order("o-1")).toMatchObject({ status: "cancelled", cancelled: { reason: "customer" } });
      expect(await shop.available("teapot-blue")).toBe(50_000);
      await expectNothingLeft("o-1");
    });
  });

  it("serves the last pieces from all desks, and not one more", async () => {
    await open();
    const orders = Array.from({ length: 12 }, (_, n) => `o-${n}`);
    await Promise.all(orders.map((orderId) => shop.place({ orderId, lines: [{ sku: "globe-antique", quantity: 1 }] })));
    await shop.app.settled();
    const ends = await Promise.all(orders.map(async (orderId) => (await shop.order(orderId))?.status));
    expect(ends.filter((status) => status === "shipped")).toHaveLength(10);
    expect(ends.filter((status) => status === "cancelled")).toHaveLength(2);
    expect(await shop.available("globe-antique")).toBe(0);

    expect(await shop.request("POST", "/stock/globe-antique/deliveries", { quantity: 5 })).toMatchObject({
      status: 202,
    });
    await shop.app.settled();
    expect(await shop.available("globe-antique")).toBe(5);
  });
});
