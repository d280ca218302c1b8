import { describe, expect, it } from "vitest";
import { z } from "zod";
import type { HandlerOptions } from "../consumer/options.js";
import { command, event } from "../contract/event.js";
import { topic } from "../contract/topic.js";
import { service, serviceDeclaration } from "../service/declare.js";
import type { Service } from "../service/service.js";
import { planApp } from "./plan.js";

const Order = z.object({ orderId: z.string() });
const orders = topic("orders", { key: "orderId", partitions: 3, events: { placed: event("order.placed", Order) } });
const payments = topic("payments", { key: "orderId", events: { made: event("payment.made", Order) } });
const secrets = topic("secrets", { key: "orderId", internal: true, events: { kept: event("secret.kept", Order) } });
const pay = command("pay", Order, { key: "orderId" });
const nothing = () => {};
const plan = (...services: Service[]) => planApp(services.map(serviceDeclaration));

describe("the plan of an app", () => {
  it("gives each topic its owner and each message its route", () => {
    const { topics, routes } = plan(
      service("shop").owns(orders),
      service("cashier").on(orders.placed, { emits: [payments.made, pay] }, nothing),
      service("bank").handle(pay, nothing),
    );
    expect(topics.map(({ name, owner, partitions }) => ({ name, owner, partitions }))).toEqual([
      { name: "orders", owner: "shop", partitions: 3 },
      { name: "payments", owner: "cashier", partitions: 12 },
      { name: "bank.commands", owner: "bank", partitions: 12 },
    ]);
    expect(routes.get("payment.made")).toEqual({ topic: "payments", partitions: 12, source: "cashier" });
    expect(routes.get("pay")).toMatchObject({ topic: "bank.commands" });
  });

  it("lets an app hear a topic that no service of it owns", () => {
    const { topics, routes } = plan(service("view").on(orders.placed, nothing));
    expect(topics).toMatchObject([{ name: "orders", owner: "outside" }]);
    expect(routes.get("order.placed")).toMatchObject({ source: "outside" });
  });

  it("puts a service's commands into its own consumer, in one topic, and drops consumers without handlers", () => {
    const { consumers } = plan(service("bank").handle(pay, nothing).consumer("empty", nothing), service("idle"));
    expect(consumers.map((consumer) => consumer.name)).toEqual(["bank"]);
    expect(consumers[0]?.subscriptions).toMatchObject([{ topic: "bank.commands", keyName: "orderId" }]);
  });

  it.each([
    ["a service given twice", () => plan(service("shop"), service("shop")), "OPTION_INVALID", /shop is there twice/],
    [
      "two services that publish into one topic",
      () =>
        plan(
          service("one").on(orders.placed, { emits: [payments.made] }, nothing),
          service("two").on(orders.placed, { emits: [payments.made] }, nothing),
        ),
      "TOPIC_OWNER",
      /payments belongs to one, and two/,
    ],
    [
      "a service that publishes into a topic that another owns",
      () => plan(service("shop").owns(orders), service("two").on(payments.made, { emits: [orders.placed] }, nothing)),
      "TOPIC_OWNER",
      /orders belongs to shop, and two/,
    ],
    [
      "a consumer of another service's internal topic",
      () => plan(service("vault").owns(secrets), service("spy").on(secrets.kept, nothing)),
      "TOPIC_OWNER",
      /spy hears secret\.kept.*internal to vault/,
    ],
    [
      "two owners of one command",
      () => plan(service("one").handle(pay, nothing), service("two").handle(pay, nothing)),
      "OPTION_INVALID",
      /pay is handled by one and by two/,
    ],
    [
      "a command that nobody handles",
      () => plan(service("one").on(orders.placed, { emits: [pay] }, nothing)),
      "CONTRACT_UNKNOWN",
      /one sends pay/,
    ],
    [
      "an event of no topic",
      () => plan(service("one").on(event("stray.seen", Order), nothing)),
      "CONTRACT_UNKNOWN",
      /stray\.seen belongs to no topic/,
    ],
    [
      "two declarations of one event",
      () => {
        const twin = topic("orders", { key: "orderId", events: { placed: event("order.placed", Order) } });
        return plan(service("one").on(orders.placed, nothing), service("two").on(twin.placed, nothing));
      },
      "OPTION_INVALID",
      /order\.placed is declared twice/,
    ],
    [
      "two declarations of one topic",
      () => {
        const twin = topic("orders", { key: "orderId", events: { moved: event("order.moved", Order) } });
        return plan(service("one").on(orders.placed, nothing), service("two").on(twin.moved, nothing));
      },
      "OPTION_INVALID",
      /topic orders is declared twice/,
    ],
  ] as const)("refuses %s and names both sides", (_, make, code, message) => {
    expect(make).toThrow(expect.objectContaining({ code, message: expect.stringMatching(message) }));
  });

  it("lets the owner itself hear its internal topic", () => {
    expect(() => plan(service("vault").owns(secrets).on(secrets.kept, nothing))).not.toThrow();
  });
});

describe("handler options", () => {
  it.each([
    [{ timeout: "soon" }, /shop, order\.placed: timeout/],
    [{ timeout: "0s" }, /shop, order\.placed: timeout/],
    [{ concurrency: 0 }, /shop, order\.placed: concurrency/],
    [{ concurrency: 1.5 }, /shop, order\.placed: concurrency/],
    [{ concurrency: "many" }, /shop, order\.placed: concurrency/],
    [{ onPoison: "ignore" }, /shop, order\.placed: onPoison.*hold.*skip/],
    [{ from: "begining" }, /shop, order\.placed: from.*beginning.*end/],
    [{ retry: { attemptsMax: 0 } }, /shop, order\.placed: retry\.attemptsMax/],
    [{ retry: { attemptsInPlace: -1 } }, /shop, order\.placed: retry\.attemptsInPlace/],
    [{ retry: { backoffFirst: "-1s" } }, /shop, order\.placed: retry\.backoffFirst/],
    [{ retry: { backoffMax: 5 } }, /shop, order\.placed: retry\.backoffMax/],
  ])("of a wrong value %j are refused, naming the option", (options, message) => {
    expect(() => plan(service("shop").on(orders.placed, options as HandlerOptions<never>, nothing))).toThrow(
      expect.objectContaining({ code: "OPTION_INVALID", message: expect.stringMatching(message) }),
    );
  });

  it("have defaults", () => {
    expect(plan(service("shop").on(orders.placed, nothing)).consumers[0]?.subscriptions[0]).toMatchObject({
      timeoutMs: 30_000,
      concurrency: 256,
      skipPoison: false,
      retry: { attemptsInPlace: 3, attemptsMax: 8, backoffMsFirst: 100, backoffMsMax: 60_000 },
      from: undefined,
    });
  });
});
