import { afterEach, expect, it } from "vitest";
import { service } from "../service/declare.js";
import { endTrials, type Trial, tempFolder, trial } from "../testing/trial.js";
import { adminOf, begin, inTime, paid, reserved, shipped } from "../testing/trial-saga.js";
import {
  type Fate,
  held,
  orders,
  outcomes,
  parcels,
  pay,
  payments,
  refund,
  release,
  reserve,
  ship,
  shop,
  stock,
} from "../testing/trial-shop.js";
import { process } from "./process.js";
import { saga } from "./saga.js";

afterEach(endTrials);

const first = () => begin().step("pay", paid).step("reserve", reserved).step("ship", shipped);
interface Amount {
  readonly order: string;
  readonly amount: { readonly pence: number };
}
/** The same saga with another state, and the same steps made of it. */
const second = (migrate = migrated) =>
  saga("fulfilment", {
    startsOn: orders.placed,
    key: "orderId",
    version: 2,
    state: ({ data }): Amount => ({ order: data.orderId, amount: { pence: data.pence } }),
    migrate,
  })
    .step("pay", {
      send: (s) => pay(of(s)),
      undo: (s) => refund(of(s)),
      done: payments.taken,
      failed: payments.declined,
    })
    .step("reserve", {
      send: (s) => reserve(of(s)),
      undo: (s) => release(of(s)),
      done: stock.reserved,
      failed: stock.shortage,
    })
    .step("ship", { send: (s) => ship(of(s)), done: parcels.sent, failed: parcels.lost })
    .completed((s) => outcomes.confirmed(of(s)))
    .aborted((s, { reason }) => outcomes.failed({ orderId: s.order, reason }));
const of = ({ order, amount }: Amount) => ({ orderId: order, pence: amount.pence });
function migrated(old: unknown, from: number): Amount {
  const { orderId, pence } = old as { orderId: string; pence: number };
  if (from !== 1 || orderId === "o-9") throw new Error(`${orderId} of version ${from} is unknown`);
  return { order: orderId, amount: { pence } };
}

const placing = (t: Trial, ids: readonly string[]) =>
  t.app.publish(ids.map((orderId) => orders.placed({ orderId, pence: 100 })));
const slow = (type: string, _: string, run: number): Fate => (type === "reserve" && run <= 6 ? "throws" : "done");

it("goes on with the instances that are under way: their state becomes one of today when they next hear something", async () => {
  const t = await trial(shop({ saga: first(), fates: slow }), { dir: tempFolder() });
  await placing(t, ["o-1", "o-2"]);
  await t.until(async () => (await t.entries()).length === 2);
  const now = second();
  const failing = (type: string, id: string): Fate => (type === "ship" && id === "o-2" ? "failed" : "done");
  const again = await t.again(shop({ saga: now, fates: failing }));
  expect(await again.app.saga(now).get("o-1")).toMatchObject({ state: { order: "o-1", amount: { pence: 100 } } });
  expect(await again.app.saga(now).find({ status: "running" })).toHaveLength(2);
  await placing(again, ["o-3"]);
  await again.rest();
  expect(await again.entries()).toEqual([]);
  // Forwards with the new state, and back with it.
  for (const [id, status, holds] of [
    ["o-1", "completed", [100, 100, 100]],
    ["o-2", "aborted", [0, 0, 0]],
    ["o-3", "completed", [100, 100, 100]],
  ] as const) {
    expect(await again.app.saga(now).get(id)).toMatchObject({ status, state: { order: id } });
    expect(await held(again, id)).toEqual(holds);
  }
});

it("sets aside what one instance hears whose state cannot be migrated, and goes on with the others", async () => {
  const t = await trial(shop({ saga: first(), fates: slow }), { dir: tempFolder() });
  await placing(t, ["o-1", "o-9"]);
  await t.until(async () => (await t.entries()).length === 2);
  const now = second();
  const again = await t.again(shop({ saga: now }));
  await again.rest();
  expect(await again.app.saga(now).get("o-1")).toMatchObject({ status: "completed" });
  const [letter, ...others] = await again.entries("orders.fulfilment");
  expect(others).toEqual([]);
  expect(letter).toMatchObject({ state: "dead", failure: { code: "DOCUMENT_REJECTED" } });
  expect(letter?.failure?.message).toContain("documents saga fulfilment v2: / could not be migrated from version 1");
  // Mended, deployed, redriven.
  const mended = second((old) => migrated({ ...(old as object), orderId: "o-8" }, 1));
  const last = await again.again(shop({ saga: mended }));
  await adminOf(last).redrive({ actor: "ada", reason: "mended", entries: [letter?.entry as number] });
  await last.rest();
  expect(await last.app.saga(mended).get("o-9")).toMatchObject({ status: "completed", state: { order: "o-8" } });
});

it("lets operators act on an instance of an older version", async () => {
  const t = await trial(shop({ saga: first(), fates: (type) => (type === "ship" ? "dies" : "done") }), {
    dir: tempFolder(),
  });
  await placing(t, ["o-1"]);
  await t.rest();
  const now = second();
  const again = await t.again(shop({ saga: now }));
  const act = { actor: "ada", reason: "a test", saga: "fulfilment", key: "o-1", verb: "compensate" } as const;
  await inTime(again, adminOf(again).steerSaga(act));
  await again.rest();
  expect(await again.app.saga(now).get("o-1")).toMatchObject({ status: "aborted", state: { order: "o-1" } });
  expect(await held(again)).toEqual([0, 0, 0]);
});

it("waits for a newer program when it meets a state of a newer one", async () => {
  const t = await trial(shop({ saga: second(), fates: slow }), { dir: tempFolder() });
  await placing(t, ["o-1"]);
  await t.until(async () => (await t.entries()).length === 1);
  const older = await t.again(shop({ saga: first() }));
  await older.restBeside("orders.fulfilment");
  expect(older.status("orders.fulfilment")).toMatchObject({ state: "stopped" });
  const newer = await older.again(shop({ saga: second() }));
  await newer.rest();
  expect(await held(newer)).toEqual([100, 100, 100]);
});

it("is declared with what becomes of older states", () => {
  const options = { startsOn: orders.placed, key: "orderId", state: () => ({}) } as const;
  const declare = (more: object) => () => saga("s", { ...options, ...more } as never);
  expect(declare({ version: 2 })).toThrow(
    /saga s: instances with a state of an older version than 2 .* give a migrate/,
  );
  expect(declare({ version: 0 })).toThrow(/saga s: version is 0; write a whole number from 1 on/);
  expect(declare({ version: 2, migrate: {} })).toThrow(/saga s: migrate is an object; it is a function/);
});

it("holds for a process, too", async () => {
  const counting = (more: object) =>
    process("counting", {
      key: "orderId",
      hears: [orders.placed],
      emits: [],
      initialState: () => ({ n: 0 }),
      decide: () => [],
      evolve: (state) => ({ n: state.n + 1 }),
      ...more,
    });
  const t = await trial([service("orders").owns(orders, counting({}))], { dir: tempFolder() });
  await placing(t, ["o-1"]);
  await t.rest();
  const now = counting({ version: 3, migrate: (old: { n: number }, from: number) => ({ n: old.n * 10 + from }) });
  const again = await t.again([service("orders").owns(orders, now)]);
  await placing(again, ["o-1"]);
  await again.rest();
  expect(await again.app.documents(now.documents).get("o-1")).toMatchObject({ state: { n: 12 } });
});
