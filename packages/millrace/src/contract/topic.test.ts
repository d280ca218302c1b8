import { describe, expect, it } from "vitest";
import { z } from "zod";
import type { AnyEvent } from "./contract.js";
import { contractDeclaration } from "./contract.js";
import { command, event } from "./event.js";
import { type TopicOptions, topic, topicDeclaration } from "./topic.js";

const Named = z.object({ orderId: z.string() });
type Options = TopicOptions<Record<string, AnyEvent>>;
const declare = (changed: { name?: string } & Partial<Options>) => {
  const { name = "orders", ...options } = changed;
  return topic(name, {
    key: "orderId" as never,
    events: { placed: event("order.placed", Named) },
    ...options,
  } as Options);
};

it("binds its events and holds their declarations by type", () => {
  const orders = topic("orders", {
    key: "orderId",
    partitions: 3,
    retention: "30d",
    internal: true,
    events: { placed: event("order.placed", Named), name: event("order.named", Named) },
  });
  const declaration = topicDeclaration(orders);
  expect(declaration).toMatchObject({
    name: "orders",
    key: "orderId",
    partitions: 3,
    retentionMs: 2_592_000_000,
    internal: true,
  });
  expect([...declaration.events.keys()]).toEqual(["order.placed", "order.named"]);
  expect(declaration.events.get("order.named")).toBe(contractDeclaration(orders.name));
  expect(contractDeclaration(orders.placed)).toMatchObject({ topic: declaration, key: "orderId" });
  expect(Object.keys(orders)).toEqual(["placed", "name"]);
});

it("has twelve partitions and keeps events for ever, unless told otherwise", () => {
  expect(topicDeclaration(declare({}))).toMatchObject({ partitions: 12, retentionMs: undefined, internal: false });
  expect(topicDeclaration(declare({ retention: "forever" })).retentionMs).toBeUndefined();
});

describe("is refused", () => {
  it.each([0, 1_025, 1.5, Number.NaN, "3" as never])("with %s partitions", (partitions) => {
    expect(() => declare({ partitions })).toThrow(
      expect.objectContaining({
        code: "CONTRACT_INVALID",
        message: expect.stringMatching(/^topic orders: partitions is .* from 1 to 1024/),
      }),
    );
  });

  it.each(["Orders", "orders.eu", "orders\n", ""])("with the name %j", (name) => {
    expect(() => declare({ name })).toThrow(expect.objectContaining({ code: "CONTRACT_INVALID" }));
  });

  it("with a retention that is no duration", () => {
    expect(() => declare({ retention: "long" as "1d" })).toThrow(
      expect.objectContaining({ code: "OPTION_INVALID", message: expect.stringMatching(/^topic orders: retention/) }),
    );
  });

  it("when an event has a topic already, and leaves that one as it was", () => {
    const placed = event("order.placed", Named);
    const first = declare({ events: { placed } });
    expect(() => declare({ name: "others", events: { placed } })).toThrow(
      /topic others: order\.placed is in topic orders already/,
    );
    expect(contractDeclaration(placed).topic).toBe(topicDeclaration(first));
  });

  it("when two events have one type", () => {
    const events = { a: event("order.placed", Named), b: event("order.placed", Named) };
    expect(() => declare({ events })).toThrow(/topic orders: order\.placed is declared twice/);
  });

  it("when an event does not have the key, looking into alternatives and references", () => {
    const either = z.discriminatedUnion("kind", [
      z.object({ kind: z.literal("a"), orderId: z.string() }),
      z.object({ kind: z.literal("b"), orderId: z.string() }),
    ]);
    const shared = z.object({ orderId: z.string() }).meta({ id: "Shared" });
    expect(() =>
      declare({
        events: {
          a: event("order.a", either),
          b: event("order.b", shared),
          c: event("order.c", Named.and(z.object({ x: z.int() }))),
        },
      }),
    ).not.toThrow();
    const half = z.union([z.object({ orderId: z.string() }), z.object({ id: z.string() })]);
    for (const schema of [half, z.string(), z.object({ id: z.string() })]) {
      expect(() => declare({ events: { a: event("order.a", schema) } })).toThrow(
        /topic orders: order\.a v1: its schema has no field "orderId"/,
      );
    }
  });

  it("with a command, or with nothing", () => {
    const doIt = command("do-it", Named, { key: "orderId" }) as unknown as AnyEvent;
    expect(() => declare({ events: { doIt } })).toThrow(/do-it is a command/);
    expect(() => declare({ events: {} })).toThrow(/no events/);
  });

  it("when topic() did not make it", () => {
    expect(() => topicDeclaration({ placed: event("order.placed", Named) })).toThrow(
      expect.objectContaining({ code: "CONTRACT_UNKNOWN" }),
    );
  });
});
