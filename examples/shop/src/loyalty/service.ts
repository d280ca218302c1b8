import { documents, service } from "millrace";
import { z } from "zod";
import { corrections } from "../contracts/corrections.js";
import { orders } from "../contracts/orders.js";
import { points } from "../contracts/points.js";

const Earned = z.object({ orderId: z.string(), customerId: z.string(), points: z.int().positive() });
const earnedPoints = documents("earned-points", Earned, { id: "orderId" });

const Account = z.object({ customerId: z.string(), points: z.int() });
/** A customer's points. */
export const accounts = documents("accounts", Account, { id: "customerId" });

/** A point for every whole pound. */
function pointsFor(pence: number): number {
  return Math.max(0, Math.floor(pence / 100));
}

/**
 * Gives customers a point for every pound, and takes it back with the goods.
 *
 * Orders come keyed by order; accounts belong to customers. To count straight into the account would make a customer's
 * orders run each other over. So the service publishes `points.earned`, keyed by customer, and its second consumer,
 * `loyalty.accounts`, adds them up: one writer for each account, and the points are events that others may use too.
 */
export function loyaltyService() {
  return service("loyalty")
    .on(orders.confirmed, { emits: [points.earned], from: "beginning" }, ({ data }, ctx) => {
      const { orderId, customerId, totalPence } = data;
      const count = pointsFor(totalPence);
      if (customerId === undefined || count === 0) return;
      ctx.documents(earnedPoints).put({ orderId, customerId, points: count });
      ctx.publish(points.earned({ customerId, reference: orderId, points: count }));
    })
    .on(orders.cancelled, { emits: [points.withdrawn], from: "beginning" }, async ({ data: { orderId } }, ctx) => {
      const earned = await ctx.documents(earnedPoints).get(orderId);
      if (!earned) return;
      ctx.documents(earnedPoints).delete(orderId);
      ctx.publish(points.withdrawn({ customerId: earned.customerId, reference: orderId, points: earned.points }));
    })
    .on(corrections.goodsReturned, { emits: [points.withdrawn], from: "beginning" }, ({ data }, ctx) => {
      const { correctionId: reference, customerId, totalPence } = data;
      const count = pointsFor(-totalPence);
      if (customerId === undefined || count === 0) return;
      ctx.publish(points.withdrawn({ customerId, reference, points: count }));
    })
    .consumer("accounts", (consumer) =>
      consumer
        .on(points.earned, { from: "beginning" }, async ({ data: { customerId, points: count } }, ctx) => {
          const account = await ctx.documents(accounts).get(customerId);
          ctx.documents(accounts).put({ customerId, points: (account?.points ?? 0) + count });
        })
        .on(points.withdrawn, { from: "beginning" }, async ({ data: { customerId, points: count } }, ctx) => {
          const account = await ctx.documents(accounts).get(customerId);
          ctx.documents(accounts).put({ customerId, points: (account?.points ?? 0) - count });
        }),
    );
}
