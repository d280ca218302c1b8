import { expect, it } from "vitest";
import { z } from "zod";
import { command, event } from "../contract/event.js";
import { topic } from "../contract/topic.js";
import { isFailure } from "../failure/failure.js";
import { service, serviceDeclaration } from "./declare.js";
import type { Service } from "./service.js";

const Order = z.object({ orderId: z.string() });
const orders = topic("orders", { key: "orderId", events: { placed: event("order.placed", Order) } });
const pay = command("pay", Order, { key: "orderId" });
const nothing = () => {};

it("keeps what was declared, in order", () => {
  const declaration = serviceDeclaration(
    service("shop")
      .on(orders.placed, { from: "end" }, nothing)
      .handle(pay, nothing)
      .consumer("view", (consumer) => consumer.on(orders.placed, nothing))
      .schedule("nightly", { cron: "0 3 * * *" }, () => pay({ orderId: "a" }))
      .migrations({ one: "CREATE TABLE a(id)", two: "CREATE TABLE b(id)" })
      .owns(orders),
  );
  const types = [...declaration.consumers.map((consumer) => consumer.subscriptions), declaration.commands];
  expect(types.map((list) => list.map((one) => one.contract.type))).toEqual([
    ["order.placed"],
    ["order.placed"],
    ["pay"],
  ]);
  expect(declaration).toMatchObject({
    name: "shop",
    consumers: [
      { name: undefined, subscriptions: [{ options: { from: "end" } }] },
      { name: "view", subscriptions: [{ options: {} }] },
    ],
    schedules: [{ name: "nightly" }],
    migrations: [{ name: "one" }, { name: "two" }],
  });
  expect(declaration.owned).toEqual([orders]);
});

const loose = (of: Service) => of as unknown as Record<string, (...args: unknown[]) => unknown>;

it.each([
  ["a name with capitals", () => service("Shop"), /"Shop".*a service/],
  ["an empty name", () => service(""), /a service/],
  [
    "a second handler of an event",
    () => service("shop").on(orders.placed, nothing).on(orders.placed, nothing),
    /shop already has a handler of order\.placed.*\.consumer\(/,
  ],
  [
    "a second handler of an event in a named consumer",
    () => service("shop").consumer("view", (view) => view.on(orders.placed, nothing).on(orders.placed, nothing)),
    /shop\.view already has a handler of order\.placed/,
  ],
  [
    "a second handler of a command",
    () => service("shop").handle(pay, nothing).handle(pay, nothing),
    /shop already handles pay/,
  ],
  [
    "two consumers of one name",
    () => service("shop").consumer("view", nothing).consumer("view", nothing),
    /shop already has a consumer view/,
  ],
  ["a consumer's bad name", () => service("shop").consumer("My View", nothing), /My View/],
  [
    "two schedules of one name",
    () =>
      [1, 2].reduce((of) => of.schedule("daily", { cron: "* * * * *" }, () => pay({ orderId: "a" })), service("shop")),
    /shop already has a schedule daily/,
  ],
  [
    "an event given to handle()",
    () => loose(service("shop")).handle?.(orders.placed, nothing),
    /order\.placed.*\.on\(\)/,
  ],
  ["a command given to on()", () => loose(service("shop")).on?.(pay, nothing), /pay.*\.handle\(\)/],
  ["a missing handler", () => loose(service("shop")).on?.(orders.placed, {}), /order\.placed: the handler is missing/],
  ["something that is no service", () => serviceDeclaration({ name: "shop" } as never), /service\(\)/],
])("refuses %s and says what to do", (_, declare, message) => {
  try {
    declare();
  } catch (error) {
    expect(isFailure(error)).toBe(true);
    expect(error).toMatchObject({ message: expect.stringMatching(message) });
    expect(["OPTION_INVALID", "CONTRACT_INVALID"]).toContain((error as { code: string }).code);
    return;
  }
  expect.unreachable("it was accepted");
});
