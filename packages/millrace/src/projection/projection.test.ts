import { afterEach, expect, it } from "vitest";
import { z } from "zod";
import type { Part } from "../consumer/part.js";
import { event } from "../contract/event.js";
import { topic } from "../contract/topic.js";
import { isFailure } from "../failure/failure.js";
import { service } from "../service/declare.js";
import { endTrials, tempFolder, trial } from "../testing/trial.js";
import { projection } from "./projection.js";

const Placed = z.object({
  orderId: z.string(),
  customerId: z.string(),
  skus: z.array(z.string()),
  totalPence: z.int(),
});
const orders = topic("orders", {
  key: "orderId",
  partitions: 4,
  events: {
    placed: event("order.placed", Placed),
    cancelled: event("order.cancelled", z.object({ orderId: z.string() })),
    removed: event("order.removed", z.object({ orderId: z.string() })),
  },
});
const payments = topic("payments", {
  key: "orderId",
  events: { declined: event("payment.declined", z.object({ orderId: z.string() })) },
});
const Summary = z.object({
  orderId: z.string(),
  customerId: z.string(),
  status: z.enum(["placed", "cancelled"]),
  totalPence: z.int(),
  note: z.string().optional(),
});
const summary = () =>
  projection("order-summary", {
    version: 2,
    row: Summary,
    indexes: ["status", "totalPence", "customerId", "note"],
  })
    .on(orders.placed, (_, { data: { skus: _skus, ...order } }) => ({ ...order, status: "placed" }))
    .on(orders.cancelled, (row) => row && { ...row, status: "cancelled" })
    .on(orders.removed, () => undefined);

const placed = (n: number, totalPence = n * 100) =>
  orders.placed({ orderId: `o-${n}`, customerId: `c-${n % 3}`, skus: [`s-${n % 4}`, "s-all"], totalPence });

afterEach(endTrials);

it("folds a key's events into its row, and deletes it", async () => {
  const view = summary();
  const { app, rest } = await started(view);
  await app.publish(Array.from({ length: 30 }, (_, n) => placed(n)));
  await app.publish([orders.cancelled({ orderId: "o-3" }), orders.removed({ orderId: "o-4" })]);
  await rest();
  const rows = app.projection(view);
  expect(await rows.get("o-3")).toEqual({ orderId: "o-3", customerId: "c-0", status: "cancelled", totalPence: 300 });
  expect(await rows.get("o-4")).toBeUndefined();
  expect(await rows.count()).toBe(29);
});

it("folds the whole log when it is new, and goes on after a restart", async () => {
  const alone = await trial([service("shop").owns(orders)], { dir: tempFolder() });
  await alone.app.publish(Array.from({ length: 700 }, (_, n) => placed(n % 350, n)));
  const view = summary();
  const later = await alone.again([service("shop").owns(orders, view)]);
  await later.rest();
  expect(await later.app.projection(view).count()).toBe(350);
  expect(await later.app.projection(view).get("o-7")).toMatchObject({ totalPence: 357 });
  const again = await later.again([service("shop").owns(orders, view)]);
  await again.app.publish(orders.cancelled({ orderId: "o-7" }));
  await again.rest();
  expect(await again.app.projection(view).get("o-7")).toMatchObject({ totalPence: 357, status: "cancelled" });
});

it("takes many keys from one event, and folds events of many keys into one row", async () => {
  const Sold = z.object({ orders: z.int(), pence: z.int() });
  const sold = projection("sold", { version: 1, row: Sold, commutative: true }).on(
    orders.placed,
    { key: ({ data }) => data.skus },
    (row = { orders: 0, pence: 0 }, { data }) => ({ orders: row.orders + 1, pence: row.pence + data.totalPence }),
  );
  const { app, rest } = await started(sold);
  for (let n = 0; n < 5; n += 1) await app.publish(Array.from({ length: 100 }, (_, i) => placed(n * 100 + i, 1)));
  await rest();
  expect(await app.projection(sold).get("s-all")).toEqual({ orders: 500, pence: 500 });
  expect(await app.projection(sold).get("s-1")).toEqual({ orders: 125, pence: 125 });
});

it("finds rows by indexed fields, in order, a page at a time", async () => {
  const view = summary();
  const { app, rest } = await started(view);
  await app.publish(Array.from({ length: 50 }, (_, n) => placed(n, 1_000 - (n % 10))));
  await app.publish(orders.cancelled({ orderId: "o-7" }));
  await rest();
  const rows = app.projection(view);
  const all: string[] = [];
  for (let after: string | undefined; ; ) {
    const page = await rows.find({ status: "placed" }, { order: "-totalPence", limit: 7, ...(after ? { after } : {}) });
    all.push(...page.rows.map(({ orderId, totalPence }) => `${totalPence} ${orderId}`));
    after = page.next;
    if (after === undefined) break;
  }
  expect(all).toHaveLength(49);
  expect(all).toEqual([...all].sort((a, b) => Number.parseInt(b, 10) - Number.parseInt(a, 10) || (a < b ? 1 : -1)));
  const range = await rows.find({ totalPence: { gt: 991, lte: 993 }, customerId: "c-1" });
  expect(range.rows.every((row) => row.totalPence > 991 && row.totalPence <= 993 && row.customerId === "c-1")).toBe(
    true,
  );
  expect(range.rows.map((row) => row.totalPence)).toEqual([...range.rows.map((row) => row.totalPence)].sort());
  expect(await rows.count({ totalPence: { gt: 991, lte: 993 }, customerId: "c-1" })).toBe(range.rows.length);
  expect((await rows.find({ note: null })).rows).toHaveLength(50);
  expect((await rows.find()).ids.slice(0, 3)).toEqual(["o-0", "o-1", "o-10"]);
});

it.each([
  ["an undeclared field", { orderId: "o-1" }, {}, "INDEX_MISSING"],
  ["an undeclared order", {}, { order: "orderId" }, "INDEX_MISSING"],
  ["a condition without a value", { status: undefined }, {}, "OPTION_INVALID"],
  ["a limit that is no number", {}, { limit: Number.NaN }, "OPTION_INVALID"],
  ["a limit of nothing", {}, { limit: 0 }, "OPTION_INVALID"],
  ["a limit of everything", {}, { limit: 1e9 }, "OPTION_INVALID"],
  ["a cursor of its own making", {}, { after: "x" }, "OPTION_INVALID"],
  ["a range of two kinds", { totalPence: { gt: 1, lt: "2" } }, {}, "OPTION_INVALID"],
])("refuses %s", async (_, where, options, code) => {
  const view = summary();
  const { app } = await started(view);
  const error: unknown = await app
    .projection(view)
    .find(where as never, options as never)
    .catch((reason) => reason);
  expect(isFailure(error) && error.code).toBe(code);
});

it("refuses rows that several topics feed, unless their order does not matter", () => {
  expect(() => summary().on(payments.declined, () => undefined)).toThrow(/orders and payments.*commutative: true/);
  const view = projection("both", { version: 1, row: Summary, commutative: true });
  view.on(orders.cancelled, (row) => row).on(payments.declined, () => undefined);
  expect(() => service("shop").owns(view)).not.toThrow();
});

it("sets a row that does not fit its schema aside as a dead letter, and goes on with the others", async () => {
  const view = projection("order-summary", { version: 1, row: Summary }).on(
    orders.placed,
    (_, { data: { skus: _skus, ...order } }) => ({
      ...order,
      status: order.totalPence === 300 ? ("odd" as never) : "placed",
    }),
  );
  const { app, rest, entries } = await started(view);
  await app.publish(Array.from({ length: 20 }, (_, n) => placed(n)));
  await app.publish(Array.from({ length: 20 }, (_, n) => placed(n, 5_000)));
  await rest();
  const rows = app.projection(view);
  expect((await entries()).map(({ state, lane, failure }) => `${state} ${lane} ${failure?.code}`)).toEqual([
    "dead orderId:o-3 DOCUMENT_REJECTED",
    "following orderId:o-3 undefined",
  ]);
  expect(await rows.get("o-3")).toBeUndefined();
  expect(await rows.get("o-4")).toMatchObject({ totalPence: 5_000 });
  expect(await rows.count()).toBe(19);
});

it("sets a fold that returns a promise aside, also where a row may have no fields", async () => {
  const view = projection("notes", { version: 1, row: z.object({ note: z.string().optional() }) }).on(
    orders.placed,
    (async () => ({ note: "late" })) as never,
  );
  const { app, rest, entries } = await started(view);
  await app.publish(placed(1));
  await rest();
  const [letter] = await entries();
  expect(letter?.failure).toMatchObject({
    code: "DOCUMENT_REJECTED",
    message: expect.stringContaining("the fold of order.placed returned a promise"),
  });
  expect(await app.projection(view).count()).toBe(0);
});

it("refuses subscriptions that it cannot serve, and the process goes on", async () => {
  const { app } = await started(summary());
  const { subscribe } = app.projection(summary());
  for (const options of [{ after: 5 }, { signal: 5 }, { id: 5 }])
    await expect(
      subscribe(options as never)
        [Symbol.asyncIterator]()
        .next(),
    ).rejects.toMatchObject({
      code: "OPTION_INVALID",
      message: expect.stringContaining(`subscribe: ${Object.keys(options)[0]} is`),
    });
});

async function started(view: Part) {
  const running = await trial([service("shop").owns(orders, view)]);
  return { app: running.app, rest: () => running.rest(), entries: () => running.entries() };
}
