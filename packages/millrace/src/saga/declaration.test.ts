import { afterEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { aggregate } from "../aggregate/aggregate.js";
import { command, event } from "../contract/event.js";
import { topic } from "../contract/topic.js";
import { isFailure } from "../failure/failure.js";
import { service } from "../service/declare.js";
import { endTrials, trial } from "../testing/trial.js";
import { begin, order, paid, placed, reserved, shipped } from "../testing/trial-saga.js";
import { orders, outcomes, pay, payments, shop } from "../testing/trial-shop.js";
import { process } from "./process.js";
import { saga } from "./saga.js";

afterEach(endTrials);

// What only JavaScript lets pass.
const step = (more: object) => begin("checked").step("pay", { ...paid, ...more } as never);
const started = (more: object) =>
  saga("checked", { startsOn: orders.placed, key: "orderId", state: ({ data }: never) => data, ...more } as never);
const processed = (more: object) =>
  process("auction", {
    ...{ key: "orderId", hears: [orders.placed], emits: [pay] },
    ...{ initialState: () => ({}), decide: () => [], evolve: (state: object) => state },
    ...more,
  } as never);

describe("a saga refuses, where it is declared,", () => {
  it.each<[string, () => unknown, string]>([
    ["an undo that is a misspelt word", () => step({ undo: "noting" }), 'pay: undo is "noting"; it is a function'],
    ["a done that is a command", () => step({ done: pay }), "pay: done is pay, which is a command"],
    ["a done that is missing", () => step({ done: undefined }), "pay: done is undefined; it takes what event() made"],
    ["a done that is a message", () => step({ done: payments.taken(order) }), "done is a message of payment.taken"],
    ["a failed that is no event", () => step({ failed: [payments.declined, 5] }), "pay: failed[1] is 5"],
    [
      "a misspelt kind",
      () => step({ kind: "retryable" }),
      'kind is "retryable"; there are compensatable, pivot, retriable',
    ],
    [
      "a send that is a command made already",
      () => step({ send: pay(order) }),
      "pay: send is an object; it is a function",
    ],
    ["a when that is no function", () => step({ when: true }), "pay: when is true; it is a function"],
    ["an onDone that is no function", () => step({ onDone: {} }), "pay: onDone is an object; it is a function"],
    ["a startsOn that is a command", () => started({ startsOn: pay }), "startsOn is pay, which is a command"],
    [
      "a startsOn that is a topic",
      () => started({ startsOn: orders }),
      "startsOn is an object; it takes what event() made",
    ],
    [
      "no state",
      () => started({ state: undefined }),
      "saga checked: state is undefined; it is a function of the event",
    ],
    ["no key", () => started({ key: undefined }), "saga checked: key is undefined; it is the name of a field"],
    [
      "an abortOn that is a command",
      () => begin("checked").abortOn(pay as never),
      "abortOn is pay, which is a command",
    ],
    ["a completed that is an event", () => begin("checked").completed(5 as never), "completed is 5; it is a function"],
    ["an aborted that is missing", () => begin("checked").aborted(undefined as never), "aborted is undefined"],
    ["a parallel of nothing", () => begin("checked").parallel(undefined as never), "parallel is undefined"],
  ])("%s", (_, declare, message) => expectRefused(declare, message));
});

describe("a process refuses, where it is declared,", () => {
  it.each<[string, () => unknown, string]>([
    ["no hears", () => processed({ hears: undefined }), "process auction: hears is undefined; it is a list of events"],
    ["a command in hears", () => processed({ hears: [pay] }), "hears[0] is pay, which is a command"],
    ["no emits", () => processed({ emits: undefined }), "emits is undefined; it is a list of events and commands"],
    ["what is no contract in emits", () => processed({ emits: ["pay"] }), 'emits[0] is "pay"'],
    [
      "no decide",
      () => processed({ decide: undefined }),
      "decide is undefined; it is a function of an input and the state",
    ],
    ["no evolve", () => processed({ evolve: undefined }), "evolve is undefined; it is a function"],
    ["no initialState", () => processed({ initialState: 5 }), "initialState is 5; it is a function"],
    [
      "an initialState that is asynchronous",
      () => processed({ initialState: async () => ({}) }),
      "initialState returns a promise",
    ],
    ["no key", () => processed({ key: 5 }), "key is 5; it is the name of a field"],
  ])("%s", (_, declare, message) => expectRefused(declare, message));
});

it("an aggregate refuses a state that is a promise, where it is declared", () => {
  const Lamp = z.object({ lamp: z.string() });
  const lamps = topic("lamps", { key: "lamp", events: { lit: event("lamp.lit", Lamp) } });
  const light = command("light", Lamp, { key: "lamp" });
  const declare = () =>
    aggregate(lamps, {
      commands: [light],
      initialState: async () => ({}),
      decide: () => [],
      evolve: (state) => state,
    });
  expectRefused(declare, "aggregate lamps: initialState returns a promise; it returns the state, synchronously");
});

describe("what a saga's function makes of one order", () => {
  const cycle: Record<string, unknown> = {};
  cycle.self = cycle;

  it.each<[string, unknown, string]>([
    ["a Map", { ...order, items: new Map() }, "has at /items a Map"],
    [
      "a Date",
      { ...order, at: [new Date(0)] },
      "has at /at/0 a Date, which would not be the same when it is read again; a state is JSON: keep its toISOString()",
    ],
    ["a number that is none", { ...order, pence: Number.NaN }, "has at /pence NaN"],
    ["a hole in a list", { ...order, items: [undefined] }, "has at /items/0 undefined"],
    ["a bigint", { ...order, pence: 1n }, "has at /pence a bigint"],
    ["what holds itself", cycle, "deeper than 64 levels, or holds itself"],
    ["nothing", undefined, "is undefined; it returns the state, also when nothing changed"],
  ])("and is %s is its event's fault, and the others go on", async (_, state, message) => {
    const made = begin("odd")
      .step("pay", { ...paid, onDone: (s) => (s.orderId === "o-1" ? (state as never) : { ...s, note: undefined }) })
      .step("ship", shipped);
    const t = await trial(shop({ saga: made }));
    await t.app.publish(orders.placed({ orderId: "o-2", pence: 5 }));
    await placed(t);
    const [letter, ...others] = await t.entries();
    expect(others).toEqual([]);
    expect(letter?.failure).toMatchObject({ code: "DECISION_INVALID" });
    expect(letter?.failure?.message).toContain(
      "saga odd o-1: the state that onDone of step pay returned for payment.taken",
    );
    expect(letter?.failure?.message).toContain(message);
    expect((await t.app.saga(made).get("o-2"))?.status).toBe("completed");
    // The consumer runs: what comes now is done, too.
    await t.app.publish(orders.placed({ orderId: "o-3", pence: 5 }));
    await t.rest();
    expect((await t.app.saga(made).get("o-3"))?.status).toBe("completed");
  });

  const unknown = command("unknown", z.object({ orderId: z.string() }), { key: "orderId" });
  it.each<[string, unknown, string]>([
    ["nothing", undefined, "undefined is no command"],
    ["a copy of a command", { ...pay(order) }, "was not made by a contract"],
    ["a command that nobody handles", unknown({ orderId: "o-1" }), "publishes unknown without declaring it"],
    ["an event", payments.taken(order), "is payment.taken, which is an event, not a command"],
    ["a promise", Promise.resolve(pay(order)), "is a promise"],
  ])("and is %s in place of a command is its event's fault, and the others go on", async (_, made, message) => {
    const odd = begin("odd")
      .step("pay", { ...paid, send: (s) => (s.orderId === "o-1" ? (made as never) : pay(s)) })
      .step("ship", shipped);
    const t = await trial(shop({ saga: odd }));
    await t.app.publish(orders.placed({ orderId: "o-2", pence: 5 }));
    await placed(t);
    const [letter] = await t.entries();
    expect(letter?.failure).toMatchObject({ code: "DECISION_INVALID" });
    expect(letter?.failure?.message).toContain("saga odd o-1: what send of step pay returned");
    expect(letter?.failure?.message).toContain(message);
    expect((await t.app.saga(odd).get("o-2"))?.status).toBe("completed");
  });

  it("and is no event at its end is its event's fault, too", async () => {
    const odd = begin("odd")
      .step("pay", paid)
      .step("reserve", reserved)
      .step("ship", shipped)
      .completed((s) => (s.orderId === "o-1" ? (pay(s) as never) : outcomes.confirmed(s)));
    const t = await trial(shop({ saga: odd }));
    await t.app.publish(orders.placed({ orderId: "o-2", pence: 5 }));
    await placed(t);
    const [letter] = await t.entries();
    expect(letter?.failure).toMatchObject({
      code: "DECISION_INVALID",
      message: "saga odd o-1: what completed returned is pay, which is a command, not an event",
    });
    expect((await t.app.saga(odd).get("o-2"))?.status).toBe("completed");
  });
});

it.each<[string, readonly unknown[], string]>([
  ["an odd duration", [{ after: "soon", wake: "up" }], "after"],
  ["a message copied", [{ ...pay(order) }], "was not made by a contract"],
])("a process whose decision holds %s fails its event, and hears the next", async (_, outputs, message) => {
  const odd = processed({
    decide: ({ data }: { data: typeof order }) => (data.orderId === "o-1" ? outputs : []),
    evolve: () => ({ seen: true }),
  });
  const t = await trial([service("odd").owns(orders, odd), service("paying").handle(pay, () => {})]);
  await t.app.publish([orders.placed(order), orders.placed({ orderId: "o-2", pence: 1 })]);
  await t.rest();
  const [letter, ...others] = await t.entries();
  expect(others).toEqual([]);
  expect(letter?.failure).toMatchObject({ code: "DECISION_INVALID" });
  expect(letter?.failure?.message).toContain("process auction o-1: what decide returned for order.placed");
  expect(letter?.failure?.message).toContain(message);
  expect(await t.app.documents(odd.documents).get("o-2")).toMatchObject({ state: { seen: true } });
});

function expectRefused(declare: () => unknown, message: string): void {
  let error: unknown;
  try {
    declare();
  } catch (thrown) {
    error = thrown;
  }
  expect(isFailure(error) && error.code, String(error)).toBe("OPTION_INVALID");
  expect(String(error)).toContain(message);
}
