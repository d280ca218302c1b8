import { afterEach, expect, it } from "vitest";
import { z } from "zod";
import { command, event } from "../contract/event.js";
import { topic } from "../contract/topic.js";
import { Failure } from "../failure/failure.js";
import { service } from "../service/declare.js";
import { endTrials, type Trial, tempFolder, trial } from "../testing/trial.js";
import { projection } from "./projection.js";

const Order = z.object({ orderId: z.string(), pence: z.int() });
const orders = topic("orders", {
  key: "orderId",
  partitions: 4,
  events: { placed: event("order.placed", Order), noted: event("order.noted", Order) },
});
const place = command("place-order", Order.extend({ copies: z.int().optional() }), { key: "orderId" });
const count = projection("count", { version: 1, row: z.object({ pence: z.int() }) }).on(
  orders.placed,
  (row, { data }) => {
    if (data.pence === 13) throw new Failure("EVENT_REJECTED", "unlucky");
    return { pence: (row?.pence ?? 0) + data.pence };
  },
);
const shop = () =>
  service("shop")
    .handle(place, { emits: [orders.placed] }, ({ data }, ctx) => {
      for (let n = 0; n < (data.copies ?? 1); n += 1)
        ctx.publish(orders.placed({ orderId: n === 0 ? data.orderId : `${data.orderId}-${n}`, pence: data.pence }));
    })
    .owns(orders);
const views = () => service("views").owns(count);

afterEach(endTrials);

const soon = { wait: "1s" } as const;
const act = (t: Trial) => ({ actor: "ann", reason: "a test", at: t.clock.now() });

/** The promise's outcome, while virtual time passes. */
async function outcome<T>(t: Trial, promise: Promise<T>): Promise<{ value?: T; error?: unknown }> {
  let ended: { value?: T; error?: unknown } | undefined;
  promise.then(
    (value) => {
      ended = { value };
    },
    (error: unknown) => {
      ended = { error };
    },
  );
  await t.until(() => ended !== undefined);
  return ended as { value?: T; error?: unknown };
}

it("answers with what a publish has changed, however soon it is asked", async () => {
  const t = await trial([shop(), views()]);
  const rows = t.app.projection(count);
  for (let n = 1; n <= 20; n += 1) {
    const { token } = await t.app.publish(orders.placed({ orderId: "o", pence: 1 }));
    expect((await outcome(t, rows.get("o", { after: token }))).value).toEqual({ pence: n });
  }
  const all = await t.app.publish(
    Array.from({ length: 50 }, (_, n) => orders.placed({ orderId: `p-${n}`, pence: n + 50 })),
  );
  expect((await outcome(t, rows.get("p-49", { after: all[49]?.token as string }))).value).toEqual({ pence: 99 });
});

it("answers with what a command's owner published, also when it was not handled yet, and after a restart", async () => {
  const t = await trial([shop(), views()], { dir: tempFolder() });
  const sent = (await outcome(t, t.app.send(place({ orderId: "a", pence: 5 }), { waitFor: "handled" }))).value;
  expect((await outcome(t, t.app.projection(count).get("a", { after: sent?.token as string }))).value).toEqual({
    pence: 5,
  });
  const early = await t.app.send(place({ orderId: "b", pence: 6, copies: 100 }));
  expect(early.state).toBe("accepted");
  const rows = t.app.projection(count);
  expect((await outcome(t, rows.get("b-99", { after: early.token }))).value).toEqual({ pence: 6 });
  const late = await t.app.send(place({ orderId: "c", pence: 7 }));
  const again = await t.again([shop(), views()]);
  expect((await outcome(again, again.app.projection(count).get("c", { after: late.token }))).value).toEqual({
    pence: 7,
  });
});

it("waits no longer than it is told for a projection that stands still", async () => {
  const t = await trial([shop(), views()]);
  await t.rest();
  await t.running.engine.operate.pause("views.count@1", act(t));
  await t.running.changed({ pauses: true });
  const { token } = await t.app.publish(orders.placed({ orderId: "o", pence: 1 }));
  const rows = t.app.projection(count);
  const before = t.clock.now();
  expect((await outcome(t, rows.get("o", { after: token, ...soon }))).error).toMatchObject({
    code: "PROJECTION_BEHIND",
  });
  expect(t.clock.now() - before).toBeGreaterThanOrEqual(1_000);
  expect(await rows.get("o")).toBeUndefined();
  await t.running.engine.operate.resume("views.count@1", act(t));
  await t.running.changed({ pauses: true });
  expect((await outcome(t, rows.get("o", { after: token, ...soon }))).value).toEqual({ pence: 1 });
});

it("does not wait behind a dead letter: it names it, until it is skipped", async () => {
  const t = await trial([shop(), views()]);
  const unlucky = await t.app.publish(orders.placed({ orderId: "o", pence: 13 }));
  await t.rest();
  const behind = await t.app.publish(orders.placed({ orderId: "o", pence: 1 }));
  await t.rest();
  const rows = t.app.projection(count);
  const [dead] = await t.entries("views.count@1");
  for (const { token } of [unlucky, behind])
    expect((await outcome(t, rows.get("o", { after: token, ...soon }))).error).toMatchObject({
      code: "LANE_HELD",
      details: { deadLetter: dead?.entry },
    });
  const other = await t.app.publish(orders.placed({ orderId: "other", pence: 2 }));
  expect((await outcome(t, rows.get("other", { after: other.token, ...soon }))).value).toEqual({ pence: 2 });
  const { lanes } = await t.running.engine.operate.skip([dead?.entry as number], act(t));
  await t.running.lanesChanged(lanes);
  expect((await outcome(t, rows.get("o", { after: behind.token, ...soon }))).value).toEqual({ pence: 1 });
});

it("does not wait for events that the projection does not hear, and refuses what is no token", async () => {
  const t = await trial([shop(), views()]);
  await t.rest();
  const { token } = await t.app.publish(orders.noted({ orderId: "o", pence: 1 }));
  const rows = t.app.projection(count);
  await rows.reached(token, { wait: "0ms" });
  for (const wrong of ["", "x", "m1.", "m1.W10", `${token}A`, 7 as never])
    expect((await outcome(t, rows.get("o", { after: wrong }))).error).toMatchObject({ code: "OPTION_INVALID" });
});
