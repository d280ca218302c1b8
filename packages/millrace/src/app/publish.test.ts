import { afterEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { event } from "../contract/event.js";
import { topic } from "../contract/topic.js";
import { service } from "../service/declare.js";
import { endTrials, type Trial, tempFolder, trial } from "../testing/trial.js";

afterEach(endTrials);

const Order = z.object({ orderId: z.string(), pence: z.int().min(0) });
const orders = topic("orders", {
  key: "orderId",
  events: { placed: event("order.placed", Order), paid: event("order.paid", Order) },
});
const stray = event("order.stray", Order);

async function shop(dir?: string) {
  const handled: string[] = [];
  const seller = service("seller")
    .owns(orders)
    .on(orders.placed, (placed) => {
      handled.push(placed.id);
    });
  const t = await trial([seller], dir === undefined ? {} : { dir });
  return { t, handled };
}
const stored = async (t: Trial) => (await t.running.engine.inspect.events({ limit: 1_000 })).events;

describe("publish", () => {
  it("resolves with where the event is stored, and its envelope says who published it", async () => {
    const { t } = await shop();
    const first = await t.app.publish(orders.placed({ orderId: "a", pence: 1 }), { actor: "ann" });
    const second = await t.app.publish(orders.placed({ orderId: "a", pence: 2 }));
    expect(first).toEqual({ id: first.id, topic: "orders", partition: second.partition, offset: 0 });
    expect(second.offset).toBeGreaterThan(first.offset);
    expect((await stored(t))[0]).toMatchObject({
      id: first.id,
      source: "seller",
      key: "a",
      correlationId: first.id,
      causationId: undefined,
      hops: 0,
      headers: { actor: "ann" },
      time: t.clock.now(),
      data: { orderId: "a", pence: 1 },
    });
  });

  it("is on disk when it resolves: a program that opens the file finds it", async () => {
    const dir = tempFolder();
    const { t } = await shop(dir);
    const { id } = await t.app.publish(orders.placed({ orderId: "a", pence: 1 }));
    const again = await t.again([service("seller").owns(orders)]);
    expect((await stored(again)).map((record) => record.id)).toEqual([id]);
  });

  it("stores many events in one commit, all or none, in the order they were given", async () => {
    const { t } = await shop();
    const good = [3, 1, 2].map((pence) => orders.placed({ orderId: "a", pence }));
    const published = await t.app.publish(good);
    expect(published.map((one) => one.offset)).toEqual([0, 1, 2]);
    expect((await stored(t)).map((record) => record.data)).toEqual(good.map((message) => message.data));
    const bad = [orders.placed({ orderId: "b", pence: 1 }), orders.placed({ orderId: "b", pence: -1 })];
    await expect(t.app.publish(bad)).rejects.toMatchObject({ code: "CONTRACT_REJECTED" });
    expect(await stored(t)).toHaveLength(3);
    expect(await t.app.publish([])).toEqual([]);
  });

  it.each([
    ["data that does not fit", () => orders.placed({ orderId: "a", pence: -1 }), "CONTRACT_REJECTED", /\/pence/],
    ["a missing key", () => orders.placed({ pence: 1 } as never), "CONTRACT_REJECTED", /\/orderId/],
    ["an empty key", () => orders.placed({ orderId: "", pence: 1 }), "CONTRACT_REJECTED", /orderId/],
    ["a NUL character", () => orders.placed({ orderId: "a\0", pence: 1 }), "PAYLOAD_LIMIT", /NUL/],
    ["a string too long", () => orders.placed({ orderId: "a".repeat(200_000), pence: 1 }), "PAYLOAD_LIMIT", /131072/],
    ["an event of no topic", () => stray({ orderId: "a", pence: 1 }), "CONTRACT_UNKNOWN", /order\.stray.*topic/],
    ["a message made by hand", () => ({ type: "order.placed", data: {} }) as never, "CONTRACT_UNKNOWN", /./],
  ] as const)("refuses %s, and stores nothing", async (_, make, code, message) => {
    const { t } = await shop();
    await expect(t.app.publish(make())).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
    expect(await stored(t)).toEqual([]);
  });

  it("takes the key as it is stored, after what its schema trims or makes lower-case", async () => {
    const key = z.string().trim().toLowerCase();
    const users = topic("users", { key: "name", events: { met: event("user.met", z.object({ name: key })) } });
    const t = await trial([service("host").owns(users)]);
    const places = await t.app.publish([users.met({ name: "ann" }), users.met({ name: " Ann" })]);
    expect(places[0]?.partition).toBe(places[1]?.partition);
    expect((await stored(t)).map((record) => record.key)).toEqual(["ann", "ann"]);
  });

  it.each([["a\nb"], [""], ["x".repeat(201)]])("refuses the actor %j, which could not travel", async (actor) => {
    const { t } = await shop();
    const publishing = t.app.publish(orders.placed({ orderId: "a", pence: 1 }), { actor });
    await expect(publishing).rejects.toMatchObject({ code: "OPTION_INVALID", message: expect.stringMatching(/actor/) });
    expect(await stored(t)).toEqual([]);
  });

  it("refuses an id that cannot travel", async () => {
    const { t } = await shop();
    for (const id of ["", "two words", "ünïcode", "line\nbreak", "x".repeat(201)])
      await expect(t.app.publish(orders.placed({ orderId: "a", pence: 1 }), { id })).rejects.toMatchObject({
        code: "OPTION_INVALID",
      });
  });
});

describe("publishing with an id of one's own", () => {
  const message = () => orders.placed({ orderId: "a", pence: 1 });

  it("works for each of many, all or none: those that are stored answer with their first place", async () => {
    const { t, handled } = await shop();
    const messages = [1, 2, 3].map((pence) => orders.placed({ orderId: "a", pence }));
    const first = await t.app.publish(messages.slice(0, 2), { ids: ["one", "two"], actor: "ann" });
    expect(first.map(({ id }) => id)).toEqual(["one", "two"]);
    const again = await t.app.publish(messages, { ids: ["one", "two", undefined] });
    expect(again.slice(0, 2)).toEqual(first);
    const other = [...messages.slice(0, 2), orders.placed({ orderId: "a", pence: 9 })];
    await expect(t.app.publish(other, { ids: ["four", "five", "one"] })).rejects.toMatchObject({
      code: "EVENT_ID_REUSED",
    });
    await t.rest();
    expect(handled).toEqual(["one", "two", again[2]?.id]);
    expect((await stored(t)).map((record) => record.headers?.actor)).toEqual(["ann", "ann", undefined]);
  });

  it.each<[string, object, RegExp]>([
    ["an id too few", { ids: ["one"] }, /one id, or undefined, for each event/],
    ["ids that are no list", { ids: "ab" }, /one id, or undefined, for each event/],
    ["an id that is none", { ids: ["one", 2] }, /^id is 2, which is not a string$/],
    ["the id of a single event", { id: "one" }, /no option "id"; did you mean ids\?/],
  ])("refuses %s with many, and stores nothing", async (_, options, said) => {
    const { t } = await shop();
    const publishing = t.app.publish([message(), message()], options as never);
    await expect(publishing).rejects.toMatchObject({ code: "OPTION_INVALID", message: expect.stringMatching(said) });
    expect(await stored(t)).toEqual([]);
  });

  it("again with the same content succeeds with the first place, and is handled once", async () => {
    const { t, handled } = await shop();
    const first = await t.app.publish(message(), { id: "invoice-1" });
    const again = await Promise.all([1, 2, 3].map(() => t.app.publish(message(), { id: "invoice-1" })));
    expect(again).toEqual([first, first, first]);
    await t.rest();
    expect(handled).toEqual(["invoice-1"]);
  });

  it("repeats within one group are one event", async () => {
    const { t, handled } = await shop();
    const places = await Promise.all([1, 2, 3].map(() => t.app.publish(message(), { id: "invoice-1" })));
    expect(new Set(places.map((place) => place.offset)).size).toBe(1);
    await t.rest();
    expect(handled).toEqual(["invoice-1"]);
  });

  it("again after a restart succeeds with the first place", async () => {
    const { t } = await shop(tempFolder());
    const first = await t.app.publish(message(), { id: "invoice-1" });
    const again = await t.again([service("seller").owns(orders)]);
    expect(await again.app.publish(message(), { id: "invoice-1" })).toEqual(first);
  });

  it.each([
    ["other data", () => orders.placed({ orderId: "a", pence: 2 })],
    ["another key", () => orders.placed({ orderId: "b", pence: 1 })],
    ["another type", () => orders.paid({ orderId: "a", pence: 1 })],
  ])("with %s is refused, and its group passes", async (_, other) => {
    const { t } = await shop();
    await t.app.publish(message(), { id: "invoice-1" });
    const innocent = t.app.publish(orders.placed({ orderId: "c", pence: 3 }));
    await expect(t.app.publish(other(), { id: "invoice-1" })).rejects.toMatchObject({
      code: "EVENT_ID_REUSED",
      details: { id: "invoice-1", source: "seller" },
    });
    await innocent;
    expect(await stored(t)).toHaveLength(2);
  });

  it("that the engine gave to another event is refused", async () => {
    const { t } = await shop();
    const { id } = await t.app.publish(message());
    await expect(t.app.publish(message(), { id })).rejects.toMatchObject({ code: "EVENT_ID_REUSED" });
  });
});
