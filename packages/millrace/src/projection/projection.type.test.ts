import { expectTypeOf, it } from "vitest";
import { z } from "zod";
import type { App } from "../app/app.js";
import { event } from "../contract/event.js";
import { topic } from "../contract/topic.js";
import { service } from "../service/declare.js";
import { projection } from "./projection.js";

const orders = topic("orders", {
  key: "orderId",
  events: {
    placed: event("order.placed", z.object({ orderId: z.string(), totalPence: z.int() })),
    cancelled: event("order.cancelled", z.object({ orderId: z.string() })),
  },
});
const Summary = z.object({ orderId: z.string(), status: z.enum(["placed", "cancelled"]), totalPence: z.int() });
const summary = projection("order-summary", { version: 2, row: Summary, indexes: ["status"] })
  .on(orders.placed, (_, { data }) => ({ orderId: data.orderId, totalPence: data.totalPence, status: "placed" }))
  .on(orders.cancelled, { key: (e) => e.data.orderId }, (row) => row && { ...row, status: "cancelled" });

it("infers rows, and refuses those that are incomplete", () => {
  void (() => {
    // @ts-expect-error a row lacks fields
    summary.on(orders.cancelled, (_, e) => ({ orderId: e.data.orderId }));
    // @ts-expect-error no such status
    summary.on(orders.cancelled, (row) => row && { ...row, status: "lost" });
    // @ts-expect-error a key is text, or a list of texts
    summary.on(orders.placed, { key: (e) => e.data.totalPence }, (row) => row);
    // @ts-expect-error the event has no such field
    summary.on(orders.cancelled, (row, e) => row && { ...row, totalPence: e.data.totalPence });
    // @ts-expect-error the row has no such field
    projection("x", { version: 1, row: Summary, indexes: ["total"] });
    service("orders").owns(summary);
  });
});

it("infers what is asked for, and what answers", () => {
  void (async (app: App) => {
    const rows = app.projection(summary);
    expectTypeOf(await rows.get("o-1")).toEqualTypeOf<z.infer<typeof Summary> | undefined>();
    const page = await rows.find({ status: "placed", totalPence: { gte: 5 } }, { order: "-totalPence", limit: 5 });
    expectTypeOf(page.rows).toEqualTypeOf<readonly z.infer<typeof Summary>[]>();
    // @ts-expect-error no such status
    await rows.find({ status: "lost" });
    // @ts-expect-error no such field to order by
    await rows.find({}, { order: "total" });
  });
});
