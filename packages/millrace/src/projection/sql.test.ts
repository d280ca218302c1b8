import { afterEach, expect, it } from "vitest";
import { z } from "zod";
import { localAdmin } from "../admin/local.js";
import { event } from "../contract/event.js";
import { topic } from "../contract/topic.js";
import { service } from "../service/declare.js";
import { endTrials, otherProgram, type Trial, tempFolder, trial } from "../testing/trial.js";
import { inTime } from "../testing/trial-saga.js";
import type { ProjectionRows } from "./rows.js";
import { sqlProjection } from "./sql.js";

const Sold = z.object({ orderId: z.string(), day: z.string(), pence: z.int() });
const orders = topic("orders", {
  key: "orderId",
  retention: "forever",
  events: { sold: event("order.sold", Sold) },
});
const sales = (version: number, factor = 1) =>
  sqlProjection("sales-a-day", {
    version,
    commutative: true,
    tables: { days: "(day TEXT PRIMARY KEY, pence INTEGER NOT NULL CHECK (pence < 1000000)) WITHOUT ROWID" },
  }).on(orders.sold, ({ data }, { sql, tables }) => {
    const pence = data.pence * factor;
    sql`INSERT INTO ${tables.days} VALUES (${data.day}, ${pence}) ON CONFLICT DO UPDATE SET pence = pence + excluded.pence`;
  });
const shop = (...parts: readonly ReturnType<typeof sales>[]) => service("shop").owns(orders, ...parts);
const sold = (n: number, pence: number) => orders.sold({ orderId: `o-${n}`, day: `d-${n % 3}`, pence });

afterEach(endTrials);

const adminOf = (t: Trial) =>
  localAdmin({
    inspect: t.running.engine.inspect,
    dir: undefined,
    now: () => t.clock.now(),
    stopping: new AbortController().signal,
    live: { app: t.app, running: t.running },
  });
const why = { actor: "ann", reason: "a test" };

it("keeps tables of its own, which answer by the build that is live", async () => {
  const dir = tempFolder();
  const one = sales(1);
  const first = await trial([shop(one)], { dir });
  await first.app.publish(Array.from({ length: 300 }, (_, n) => sold(n, 1)));
  await first.rest();
  const days = (t: Trial) => t.app.query`SELECT day, pence FROM ${one.tables.days} WHERE pence > ${0} ORDER BY day`;
  const each = (pence: number) => ["d-0", "d-1", "d-2"].map((day) => ({ day, pence }));
  expect(await days(first)).toEqual(each(100));
  const t = await first.again([shop(one, sales(2, 10))]);
  await t.rest();
  expect(await days(t)).toEqual(each(100));
  await adminOf(t).swapProjection({ ...why, projection: "sales-a-day" });
  expect(await days(t)).toEqual(each(1_000));
  await adminOf(t).rebuildProjection({ ...why, projection: "sales-a-day" });
  await t.rest();
  await adminOf(t).swapProjection({ ...why, projection: "sales-a-day" });
  expect(await days(t)).toEqual(each(1_000));
  await adminOf(t).dropProjection({ ...why, projection: "sales-a-day@1" });
  await t.clock.advance(120_000);
  const tables = otherProgram(dir, (db) =>
    db.prepare("SELECT name FROM sqlite_schema WHERE name LIKE 'sales%' AND type = 'table' ORDER BY name").all(),
  );
  expect(tables).toEqual([{ name: "sales_a_day_v2_1__days" }, { name: "sales_a_day_v2_2__days" }]);
  await expect(adminOf(t).verifyProjection({ projection: "sales-a-day" })).rejects.toMatchObject({ code: "CONFLICT" });
  expect(await inTime(t, adminOf(t).compareProjections({ projection: "sales-a-day" }))).toMatchObject({
    equal: 3,
    first: [],
  });
});

it("waits for a causality token, and sets an event aside whose statement fails", async () => {
  const view = sales(1);
  const t = await trial([shop(view)]);
  await t.app.publish([sold(1, 5), sold(4, 2_000_000), sold(7, 6)]);
  await t.rest();
  const { token } = await t.app.publish(sold(10, 7));
  await t.rest();
  await t.app.projection(view).reached(token);
  expect(await t.app.query`SELECT pence FROM ${view.tables.days}`).toEqual([{ pence: 18 }]);
  expect((await t.entries()).map(({ lane, failure }) => `${lane} ${failure?.code}`)).toEqual([
    "orderId:o-4 STATEMENT_FAILED",
  ]);
});

it("refuses names that are none, and statements that write elsewhere", async () => {
  expect(() => sqlProjection("x", { version: 1, tables: { "a b": "(a)" } })).toThrow(/name for a table/);
  const wrong = sqlProjection("wrong", { version: 1, tables: { a: "(a)" } }).on(orders.sold, (_, { sql, tables }) => {
    sql`DROP TABLE ${tables.a}`;
  });
  const t = await trial([service("shop").owns(orders, wrong)]);
  await t.app.publish(sold(1, 1));
  await t.restBeside("shop.wrong@1");
  expect(t.status("shop.wrong@1")).toMatchObject({ state: "stopped", failure: { code: "OPTION_INVALID" } });
});

it("compares two builds of tables row by row, and refuses what statements do not say", async () => {
  const view = sales(1);
  const dir = tempFolder();
  const t = await trial([shop(view)], { dir });
  for (let n = 0; n < 20; n += 1) await t.app.publish(sold(n, n % 3));
  await t.rest();
  const admin = adminOf(t);
  await expect(admin.verifyProjection({ projection: view.name })).rejects.toMatchObject({
    code: "CONFLICT",
    message: expect.stringMatching(/tables of its own.*projections rebuild .*, then compare/),
  });
  await admin.rebuildProjection({ ...why, projection: view.name });
  await t.rest();
  const equal = await inTime(t, admin.compareProjections({ projection: view.name }));
  expect(equal).toMatchObject({ onlyOne: 0, onlyOther: 0, different: 0, first: [] });
  expect(equal.rows[0]).toBe(equal.rows[1]);
  expect(equal.equal).toBeGreaterThan(0);
  otherProgram(dir, (database) => database.exec("DELETE FROM sales_a_day_v1_1__days WHERE day = 'd-1'"));
  const found = await inTime(t, admin.compareProjections({ projection: view.name }));
  expect(found).toMatchObject({ onlyOne: 0, onlyOther: 1 });
  expect(found.first).toHaveLength(1);
  const rows = t.app.projection(view as never) as ProjectionRows<unknown>;
  for (const ask of [() => rows.get("x"), () => rows.find(), () => rows.count(), async () => rows.subscribe()])
    await expect(ask()).rejects.toMatchObject({
      code: "OPTION_INVALID",
      message: expect.stringContaining("app.query"),
    });
});
