import { afterEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { bank, open, payOut } from "../app/trial-accounts.js";
import { drawDot, drawMermaid } from "../cli/map-drawing.js";
import { command, event } from "../contract/event.js";
import { topic } from "../contract/topic.js";
import { service } from "../service/declare.js";
import { endTrials, type Trial, tempFolder, trial } from "../testing/trial.js";
import { shop as fulfilling, orders as sales } from "../testing/trial-shop.js";
import { flowMap } from "./map.js";

afterEach(endTrials);

const Id = z.object({ id: z.string() });
const orders = topic("orders", {
  key: "id",
  events: { placed: event("order.placed", Id), lost: event("order.lost", Id) },
});
const payments = topic("payments", {
  key: "id",
  events: { taken: event("payment.taken", Id), refunded: event("payment.refunded", Id) },
});
const parcels = topic("parcels", { key: "id", events: { sent: event("parcel.sent", Id) } });
const place = command("place-order", Id, { key: "id" });

const shop = service("shop")
  .owns(orders)
  .handle(place, { emits: [orders.placed] }, ({ data }, ctx) => ctx.publish(orders.placed(data)));
const billing = service("billing")
  .owns(payments)
  .on(orders.placed, { emits: [payments.taken] }, ({ data }, ctx) => ctx.publish(payments.taken(data)));
const mail = service("mail").consumer("news", (c) => c.on(payments.taken, () => {}).on(parcels.sent, () => {}));

const mapOf = (t: Trial, window = { events: 1_000 }) => flowMap(t.running.services, t.running.engine.inspect, window);

describe("the map", () => {
  it("counts what was seen on each declared way, and names what was not", async () => {
    const t = await trial([shop, billing, mail]);
    await t.app.send(place({ id: "a" }));
    await t.app.send(place({ id: "b" }));
    await t.rest();
    const map = await mapOf(t);
    expect(map.edges).toEqual([
      { from: "billing", type: "payment.taken", to: "mail.news", service: "mail", declared: true, events: 2 },
      { from: "outside", type: "parcel.sent", to: "mail.news", service: "mail", declared: true, events: 0 },
      { from: "outside", type: "place-order", to: "shop", service: "shop", declared: true, events: 2 },
      { from: "shop", type: "order.placed", to: "billing", service: "billing", declared: true, events: 2 },
    ]);
    expect(map.observed).toEqual({ events: 6, oldest: "2026-01-01T00:00:00.000Z" });
    expect(map.drift).toEqual({ undeclared: [], unfed: [{ consumer: "mail.news", type: "parcel.sent" }] });
    expect(map.unheard).toEqual([
      { type: "order.lost", from: ["shop"], events: 0 },
      { type: "payment.refunded", from: ["billing"], events: 0 },
    ]);
    expect(map.cycles).toEqual([]);
  });

  it("takes what an aggregate's commands lead to for declared", async () => {
    const t = await trial([bank()]);
    await t.app.send(open({ account: "a", owner: "ann" }));
    await t.app.send(payOut({ account: "a", pence: 0, note: "" }));
    await t.rest();
    const { drift, unheard } = await mapOf(t);
    expect(drift.undeclared).toEqual([]);
    expect(unheard.find(({ type }) => type === "account.opened")).toEqual({
      type: "account.opened",
      from: ["bank"],
      events: 1,
    });
  });

  it("shows what a program before this one published and this one does not declare", async () => {
    const before = service("billing")
      .owns(payments)
      .on(orders.placed, { emits: [payments.taken, payments.refunded] }, ({ data }, ctx) => {
        ctx.publish(payments.taken(data));
        ctx.publish(payments.refunded(data));
      });
    const t = await trial([shop, before, mail], { dir: tempFolder() });
    await t.app.send(place({ id: "a" }));
    await t.rest();
    const now = await t.again([shop, billing, mail]);
    const map = await mapOf(now);
    expect(map.drift.undeclared).toEqual([
      { service: "billing", cause: "order.placed", type: "payment.refunded", events: 1 },
    ]);
    expect(map.unheard).toContainEqual({ type: "payment.refunded", from: ["billing"], events: 1 });
  });

  it("shows what a service that is gone published", async () => {
    const sender = service("sender")
      .owns(parcels)
      .on(payments.taken, { emits: [parcels.sent] }, ({ data }, ctx) => {
        ctx.publish(parcels.sent(data));
      });
    const t = await trial([shop, billing, mail, sender], { dir: tempFolder() });
    await t.app.send(place({ id: "a" }));
    await t.rest();
    const map = await mapOf(await t.again([shop, billing, mail]));
    const gone = { from: "sender", type: "parcel.sent", to: "mail.news", service: "mail", declared: false, events: 1 };
    expect(map.edges).toContainEqual(gone);
    expect(map.drift.undeclared).toEqual([
      { service: "sender", cause: "payment.taken", type: "parcel.sent", events: 1 },
    ]);
    expect(drawMermaid(map)).toContain('-. "parcel.sent" .->');
    expect(drawMermaid(map)).toMatch(/linkStyle \d+ stroke:red/);
    expect(drawDot(map)).toContain('"sender" -> "mail" [label="parcel.sent", style=dotted, color=red, fontcolor=red];');
  });

  it("looks no further back than asked", async () => {
    const t = await trial([shop, billing, mail]);
    await t.app.send(place({ id: "a" }));
    await t.rest();
    await t.clock.advance(3_600_000);
    await t.app.publish(orders.lost({ id: "b" }));
    expect((await mapOf(t, { events: 1 })).observed.events).toBe(1);
    const since = await flowMap(t.running.services, t.running.engine.inspect, {
      events: 1_000,
      since: t.clock.now() - 60_000,
    });
    expect(since.observed).toMatchObject({ events: 1 });
    expect(since.drift.unfed).toHaveLength(4);
  });

  it("leaves out what a saga tells itself", async () => {
    const t = await trial(fulfilling({}));
    await t.app.publish(sales.placed({ orderId: "o-1", pence: 100 }));
    await t.rest();
    const map = await mapOf(t);
    expect(JSON.stringify(map)).not.toMatch(/saga-|steer-/);
    expect(map.drift.undeclared).toEqual([]);
    expect(map.edges).toContainEqual(expect.objectContaining({ type: "payment.taken", declared: true, events: 1 }));
  });

  it("names circles of causes, each once", async () => {
    const ping = topic("pings", { key: "id", events: { ping: event("ball.pinged", Id) } });
    const pong = topic("pongs", {
      key: "id",
      events: { pong: event("ball.ponged", Id), echo: event("ball.echoed", Id) },
    });
    const one = service("one").on(pong.pong, { emits: [ping.ping] }, () => {});
    const two = service("two")
      .on(ping.ping, { emits: [pong.pong] }, () => {})
      .consumer("echo", (c) => c.on(pong.echo, { emits: [pong.echo] }, () => {}));
    const t = await trial([one, two]);
    expect((await mapOf(t)).cycles).toEqual([
      ["ball.echoed", "ball.echoed"],
      ["ball.pinged", "ball.ponged", "ball.pinged"],
    ]);
  });
});
