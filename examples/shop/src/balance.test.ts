import { afterEach, describe, expect, it } from "vitest";
import { accounts } from "./loyalty/service.js";
import { catalogue } from "./orders/catalogue.js";
import { type Rehearsal, rehearse, styles } from "./rehearsal.js";

let shop: Rehearsal;
afterEach(() => shop.stop());

describe.each(styles)("$fulfilment, orders as $orders", (style) => {
  it("keeps money, stock and points in balance while the outside world fails, loses answers and refuses", async () => {
    // The card takes up to 300 pounds; a call in ten fails, one in ten does its work and loses the answer.
    shop = await rehearse({ style, limitPence: 30_000, behaviour: { failing: 0.1, losingAnswers: 0.1 } });
    const people = ["ada", "alan", "grace"];
    for (const customerId of people) {
      const customer = { name: customerId, email: `${customerId}@customers.example`, country: "United Kingdom" };
      await shop.request("PUT", `/customers/${customerId}`, customer);
    }
    const wishes = Array.from({ length: 60 }, (_, n) => ({
      orderId: `o-${n}`,
      customerId: people[n % people.length],
      lines: [
        { sku: "cup-red", quantity: 1 + (n % 3) },
        // Every fifth wants one of the ten globes, every seventh more than the card can pay.
        n % 5 === 0 ? { sku: "globe-antique", quantity: 1 } : { sku: "teapot-blue", quantity: n % 7 === 0 ? 20 : 1 },
      ],
    }));
    await Promise.all(wishes.map((wish) => shop.place(wish)));
    await shop.app.settled();

    const left = { pence: 0, points: 0, pieces: new Map<string, number>() };
    const ends = new Set<unknown>();
    for (const { orderId, lines } of wishes) {
      const order = await shop.order(orderId);
      ends.add(order?.cancelled?.reason ?? order?.status);
      if (order?.status !== "shipped") continue;
      left.pence += order.totalPence;
      left.points += Math.floor(order.totalPence / 100);
      for (const { sku, quantity } of lines) left.pieces.set(sku, (left.pieces.get(sku) ?? 0) + quantity);
    }
    expect(ends).toEqual(new Set(["shipped", "stock", "payment"]));

    const { takenPence, returnedPence } = shop.outside.provider.state();
    expect(takenPence - returnedPence).toBe(left.pence);
    expect(returnedPence).toBeGreaterThan(0);
    for (const [sku, { opening }] of Object.entries(catalogue)) {
      expect(await shop.available(sku), sku).toBe(opening - (left.pieces.get(sku) ?? 0));
    }
    const points = await Promise.all(people.map((id) => shop.app.documents(accounts).get(id)));
    expect(points.reduce((sum, account) => sum + (account?.points ?? 0), 0)).toBe(left.points);
  });
});
