import { expect, it } from "vitest";
import { z } from "zod";
import { planApp } from "../app/plan.js";
import { command, event } from "../contract/event.js";
import { topic } from "../contract/topic.js";
import { isFailure } from "../failure/failure.js";
import { service, serviceDeclaration } from "../service/declare.js";
import { begin as beginNamed, paid, reserved, shipped } from "../testing/trial-saga.js";
import { fulfilment, orders, pay, payments, refund, release, shop } from "../testing/trial-shop.js";

const begin = () => beginNamed("checked");
const other = command("other", z.object({ parcelId: z.string() }), { key: "parcelId" });
const unkeyed = topic("unkeyed", { key: "id", events: { seen: event("unkeyed.seen", z.object({ id: z.string() })) } });

it.each([
  [
    "a step whose name every object has",
    () => begin().step("constructor", paid),
    /constructor: this name cannot be used/,
  ],
  ["a step in the middle without undo", () => begin().step("ship", shipped).step("pay", paid), /ship has no undo/],
  [
    "a compensatable step without undo",
    () => begin().step("ship", { ...shipped, kind: "compensatable" }),
    /ship is compensatable and has no undo/,
  ],
  [
    "a pivot with undo",
    () => begin().step("pay", { ...paid, kind: "pivot" }),
    /pay is a pivot and is never taken back/,
  ],
  [
    "a compensatable step after the pivot",
    () =>
      begin()
        .step("ship", { ...shipped, kind: "pivot" })
        .step("pay", paid),
    /pay comes after a pivot step, when nothing can be taken back/,
  ],
  [
    "a pivot after a retriable step",
    () =>
      begin()
        .step("one", { ...shipped, kind: "retriable" })
        .step("two", { ...shipped, kind: "pivot" }),
    /two is a pivot after a retriable step/,
  ],
  [
    "a pivot beside another step",
    () => begin().parallel((s) => s.step("a", { ...shipped, kind: "pivot" }).step("b", { ...shipped, kind: "pivot" })),
    /a runs beside steps of another kind/,
  ],
  ["two steps of one name", () => begin().step("pay", paid).step("pay", paid), /step pay is there twice/],
  ["no step", () => begin(), /has no step/],
  ["a step's bad name", () => begin().step("Pay It", paid), /"Pay It" is not a name for a step of saga checked/],
  ["a mistyped option", () => begin().step("pay", { ...paid, timeOut: "1s" } as never), /did you mean timeout/],
  [
    "a bad count",
    () => begin().step("pay", { ...paid, retry: { attemptsMax: 0 } }),
    /attemptsMax takes a whole number/,
  ],
  ["a step that sends an event", () => begin().step("pay", { ...paid, send: (s) => payments.taken(s) }), /is an event/],
  [
    "an undo of another key",
    () => begin().step("pay", { ...paid, undo: (s) => other({ parcelId: `${s.pence}` }) }),
    /send and undo have different keys/,
  ],
  [
    "an event without its key",
    () => begin().step("pay", { ...paid, done: unkeyed.seen as never }),
    /unkeyed\.seen has no field "orderId"/,
  ],
  [
    "a command and its undo of two services",
    () => begin().step("pay", { ...paid, undo: (s) => release(s) }),
    /send goes to paying \(pay\) and undo to stocking \(release\)/,
  ],
])("refuses %s and says what to do", (_, declare, message) => {
  try {
    const services = shop().slice(1);
    planApp([...services, service("orders").owns(orders, declare())].map(serviceDeclaration));
  } catch (error) {
    expect(isFailure(error)).toBe(true);
    expect((error as Error).message).toMatch(message);
    return;
  }
  expect.unreachable("it was accepted");
});

it("is complete once a service owns it", () => {
  const made = fulfilment();
  service("orders").owns(made);
  expect(() => made.step("late", paid)).toThrow(/comes too late/);
});

it("needs no undo where there is nothing to take back, and takes steps that must succeed after its pivot", () => {
  const made = begin()
    .step("look", { ...reserved, undo: "nothing" })
    .step("pay", paid)
    .step("ship", { ...shipped, kind: "pivot" })
    .parallel((s) =>
      s.step("mail", { ...shipped, kind: "retriable" }).step("score", { ...shipped, kind: "retriable" }),
    );
  expect(() => service("orders").owns(made)).not.toThrow();
});

it("knows the commands and events of its functions, also of those that compute", () => {
  const made = begin().step("pay", {
    ...paid,
    send: (s) => pay({ ...s, pence: Math.round(s.pence * 1.2) }),
    undo: (s) => refund({ orderId: s.orderId, pence: [1, 2].reduce((sum, n) => sum + n, s.pence) }),
  });
  const { consumers } = planApp([...shop().slice(1), service("orders").owns(orders, made)].map(serviceDeclaration));
  const declared = serviceDeclaration(service("others").owns(made)).consumers.find(({ name }) => name === "checked");
  expect(declared?.subscriptions[0]?.options.emits?.map(({ type }) => type)).toEqual([
    "saga-checked.due",
    "pay",
    "refund",
  ]);
  expect(consumers.map(({ name }) => name)).toContain("orders.checked");
});
