import { type Context, type DataOf, service } from "millrace";
import { corrections } from "../contracts/corrections.js";
import { orders } from "../contracts/orders.js";
import { deliverStock, deskWork, releaseStock, reserveStock, stock } from "../contracts/stock.js";
import type { Fulfilment } from "../style.js";
import { type Desks, Drawers, deskOf, perArticle, reservations } from "./counters.js";

/**
 * Reserves stock for orders, and gives it back.
 *
 * **Hot documents.** Document writes are optimistic: of two units that change one document in one group commit the
 * first wins and the other runs again. That is right for orders, which nobody shares, and ruinous for the counter of a
 * best-seller that every third order wants. Two measures keep counters calm:
 *
 * 1. *Re-key, so that there is one writer.* Orders come keyed by order. This service passes each on to a desk, in a
 *    topic keyed by desk; a lane is serial, so a desk takes one order after the other and never meets itself.
 * 2. *Divide the stock among desks*, so that desks do not meet each other. Only a desk that runs dry looks into the
 *    others' counters; then units may run again, and are right all the same.
 *
 * A command is passed on to the desks as an event is. What a desk then publishes is the reply to it: replies find their way
 * through a service's internal topics.
 */
export function inventoryService({ fulfilment, ...desks }: Desks & { readonly fulfilment: Fulfilment }) {
  const toDesk = (id: string) => deskOf(id, desks.desks);
  const reserve = ({ data }: { readonly data: Wanted }, ctx: Context<"reservation.requested">) => {
    const { orderId, lines } = data;
    ctx.publish(deskWork.reservationRequested({ desk: toDesk(orderId), orderId, items: perArticle(lines) }));
  };
  const release = ({ data: { orderId } }: { readonly data: { orderId: string } }, ctx: Context<"release.requested">) =>
    ctx.publish(deskWork.releaseRequested({ desk: toDesk(orderId), orderId }));

  const reserving = { emits: [deskWork.reservationRequested], from: "beginning" } as const;
  const releasing = { emits: [deskWork.releaseRequested], from: "beginning" } as const;
  const inventory = atDesks(desks);
  return fulfilment === "choreographed"
    ? inventory.on(orders.placed, reserving, reserve).on(orders.cancelled, releasing, release)
    : inventory.handle(reserveStock, reserving, reserve).handle(releaseStock, releasing, release);
}

type Wanted = DataOf<typeof reserveStock>;

/** What is the same however reservations are asked for. */
function atDesks(desks: Desks) {
  const toDesk = (id: string) => deskOf(id, desks.desks);
  return service("inventory")
    .on(corrections.goodsReturned, { emits: [deskWork.restockRequested], from: "beginning" }, ({ data }, ctx) => {
      // In the books, what came back is negative; on the shelf it is more.
      const items = perArticle(data.lines).map(({ sku, quantity }) => ({ sku, quantity: -quantity }));
      ctx.publish(deskWork.restockRequested({ desk: toDesk(data.correctionId), items }));
    })
    .on(corrections.goodsWrittenOff, { emits: [deskWork.restockRequested], from: "beginning" }, ({ data }, ctx) =>
      ctx.publish(deskWork.restockRequested({ desk: toDesk(data.correctionId), items: perArticle(data.lines) })),
    )
    .handle(deliverStock, { emits: [deskWork.restockRequested] }, ({ id, data }, ctx) =>
      ctx.publish(deskWork.restockRequested({ desk: toDesk(id), items: [data] })),
    )
    .consumer("desks", (consumer) =>
      consumer
        .on(
          deskWork.reservationRequested,
          { emits: [stock.reserved, stock.short], from: "beginning" },
          async ({ data: { orderId, desk, items } }, ctx) => {
            const drawers = new Drawers(ctx, desks);
            const takes: Record<string, number> = {};
            for (const item of items) {
              const taken = await drawers.take(item, desk);
              // Returned without closing the drawers: an order is reserved whole or not at all.
              if (!taken) return ctx.publish(stock.short({ orderId, sku: item.sku }));
              Object.assign(takes, taken);
            }
            drawers.close();
            ctx.documents(reservations).put({ orderId, takes });
            ctx.publish(stock.reserved({ orderId }));
          },
        )
        .on(
          deskWork.releaseRequested,
          { emits: [stock.released], from: "beginning" },
          async ({ data: { orderId } }, ctx) => {
            const reservation = await ctx.documents(reservations).get(orderId);
            // Nothing was reserved: it was the shortage that cancelled the order.
            if (!reservation) return;
            const drawers = new Drawers(ctx, desks);
            await drawers.giveBack(reservation.takes);
            drawers.close();
            ctx.documents(reservations).delete(orderId);
            ctx.publish(stock.released({ orderId }));
          },
        )
        .on(deskWork.restockRequested, { from: "beginning" }, async ({ data: { desk, items } }, ctx) => {
          const drawers = new Drawers(ctx, desks);
          for (const { sku, quantity } of items) {
            if (quantity > 0) await drawers.put({ sku, quantity }, desk);
            // More broken than there was: all there was is gone, and counting below nothing would mend no books.
            else await drawers.take({ sku, quantity: -quantity }, desk);
          }
          drawers.close();
        }),
    );
}
