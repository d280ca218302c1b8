import { afterEach, expect, it } from "vitest";
import { z } from "zod";
import { command, event } from "../contract/event.js";
import { topic } from "../contract/topic.js";
import { service } from "../service/declare.js";
import { endTrials, trial } from "../testing/trial.js";
import { saga } from "./saga.js";

afterEach(endTrials);

const Order = z.object({ orderId: z.string(), sku: z.string() });
const orders = topic("orders", { key: "orderId", events: { placed: event("order.placed", Order) } });
const Short = z.object({ orderId: z.string(), left: z.int() });
const stock = topic("stock", {
  key: "orderId",
  events: { reserved: event("stock.reserved", Order), short: event("stock.short", Short) },
});
const Ended = z.object({ orderId: z.string(), left: z.int() });
const outcomes = topic("outcomes", { key: "orderId", events: { failed: event("outcome.failed", Ended) } });
/** The working papers of the service that takes part: keyed otherwise than its commands. */
const work = (internal: boolean) =>
  topic("work", { key: "sku", internal, events: { asked: event("piece.asked-for", Order) } });
const reserve = command("reserve", Order, { key: "orderId" });

async function play(internal: boolean, available: boolean) {
  const desk = work(internal);
  const fulfilment = saga("fulfilment", {
    startsOn: orders.placed,
    key: "orderId",
    state: ({ data }) => ({ ...data, left: -1 }),
  })
    .step("reserve", {
      send: ({ orderId, sku }) => reserve({ orderId, sku }),
      done: stock.reserved,
      failed: stock.short,
      onFailed: (state, { data }) => ({ ...state, left: data.left }),
      undo: "nothing",
    })
    .aborted(({ orderId, left }) => outcomes.failed({ orderId, left }));
  const t = await trial([
    service("orders").owns(orders, outcomes, fulfilment),
    service("inventory")
      .handle(reserve, { emits: [desk.asked] }, ({ data }, ctx) => ctx.publish(desk.asked(data)))
      .on(desk.asked, { emits: [stock.reserved, stock.short] }, ({ data }, ctx) =>
        ctx.publish(available ? stock.reserved(data) : stock.short({ orderId: data.orderId, left: 7 })),
      ),
  ]);
  await t.app.publish(orders.placed({ orderId: "o-1", sku: "cup" }));
  await t.rest();
  return t.app.saga(fulfilment).get("o-1");
}

it("a reply may come from further down, by way of the service's internal topics", async () => {
  expect(await play(true, true)).toMatchObject({ status: "completed" });
});

it("an event of a public topic is for everybody: what follows from it replies to nobody", async () => {
  expect(await play(false, true)).toMatchObject({ status: "running" });
});

it("what a failed reply says is kept, for what the saga ends with", async () => {
  expect(await play(true, false)).toMatchObject({ status: "aborted", state: { orderId: "o-1", left: 7 } });
});
