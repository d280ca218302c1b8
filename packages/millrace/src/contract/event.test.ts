import { describe, expect, it } from "vitest";
import { z } from "zod";
import { contractDeclaration } from "./contract.js";
import type { ContractDeclaration } from "./declaration.js";
import { command, event } from "./event.js";
import { topic } from "./topic.js";

const Line = z.object({ sku: z.string(), quantity: z.int() });
const orders = topic("orders", {
  key: "orderId",
  events: {
    placed: event(
      "order.placed",
      z.object({ orderId: z.string(), lines: z.array(Line), currency: z.string().default("GBP") }),
    ),
  },
});
const placed = contractDeclaration(orders.placed);
const line = { sku: "a", quantity: 1 };
const encoded = (declaration: ContractDeclaration, data: unknown) => declaration.textOf(declaration.accept(data));

describe("a message", () => {
  it("is its type and data, compares by them, and knows its contract", () => {
    const data = { orderId: "o-1", lines: [line], currency: "EUR" };
    const message = orders.placed(data);
    expect(message).toEqual({ type: "order.placed", data });
    expect(JSON.parse(JSON.stringify(message))).toEqual({ type: "order.placed", data });
    expect(contractDeclaration(message)).toBe(placed);
  });

  it.each([
    { type: "order.placed", data: {} },
    { ...orders.placed({ orderId: "o", lines: [], currency: "" }) },
    () => 1,
    null,
  ])("is refused when no contract made it (%#)", (value) => {
    expect(() => contractDeclaration(value as never)).toThrow(expect.objectContaining({ code: "CONTRACT_UNKNOWN" }));
  });
});

describe("encode", () => {
  it("writes the data as JSON, with defaults and without what the schema does not name", () => {
    const text = encoded(placed, { orderId: "o-1", lines: [{ ...line, colour: "red" }], note: 1 });
    expect(JSON.parse(text)).toEqual({ orderId: "o-1", lines: [line], currency: "GBP" });
  });

  it("refuses data that does not fit, with contract, path and reason", () => {
    const wrong = { orderId: "o-1", lines: [{ sku: "a", quantity: 1.5 }] };
    expect(() => encoded(placed, wrong)).toThrow(
      expect.objectContaining({
        code: "CONTRACT_REJECTED",
        message: expect.stringMatching(/^order\.placed v1: \/lines\/0\/quantity .*int/),
        details: { type: "order.placed", version: 1, path: "/lines/0/quantity" },
      }),
    );
    expect(() => encoded(placed, undefined)).toThrow(
      expect.objectContaining({ code: "CONTRACT_REJECTED", details: expect.objectContaining({ path: "/" }) }),
    );
  });

  it("checks refinements, which JSON Schema cannot say", () => {
    const even = contractDeclaration(
      event("number.drawn", z.object({ n: z.int().refine((n) => n % 2 === 0, "must be even") })),
    );
    expect(() => encoded(even, { n: 3 })).toThrow(/number\.drawn v1: \/n must be even/);
    expect(encoded(even, { n: 4 })).toBe('{"n":4}');
  });

  it("refuses what readers would refuse", () => {
    // JSON Schema has no flags for patterns.
    const code = contractDeclaration(event("code.set", z.object({ code: z.string().regex(/^ab/i) })));
    expect(encoded(code, { code: "abc" })).toBe('{"code":"abc"}');
    expect(() => encoded(code, { code: "ABC" })).toThrow(
      expect.objectContaining({
        code: "CONTRACT_REJECTED",
        message: expect.stringContaining("/code must match pattern"),
      }),
    );
  });

  it("takes decimals that are multiples of a step, however binary fractions round, and no others", () => {
    const price = z.object({ cents: z.number().multipleOf(0.01), mills: z.number().multipleOf(0.001) });
    const priced = contractDeclaration(event("price.set", price));
    for (const cents of [19.99, 0.07, 1.1, 4.35, -0.29, 1_234_567_890.12])
      expect(encoded(priced, { cents, mills: 1.005 })).toBe(JSON.stringify({ cents, mills: 1.005 }));
    for (const wrong of [
      { cents: 1.005, mills: 0 },
      { cents: 0, mills: 1.0005 },
    ]) {
      expect(() => encoded(priced, wrong)).toThrow(expect.objectContaining({ code: "CONTRACT_REJECTED" }));
      expect(priced.check(wrong)).toMatch(/must be multiple of/);
    }
  });

  it("speaks of patterns only where a pattern refused", () => {
    const local = contractDeclaration(event("code.set", z.object({ at: z.string().meta({ format: "date" }) })));
    expect(() => encoded(local, { at: "today" })).toThrow(/which readers use, does not$/);
  });

  it("refuses values over the limits before the schema sees them", () => {
    const anything = contractDeclaration(event("thing.seen", z.object({ thing: z.any() })));
    const circular: { self?: unknown } = {};
    circular.self = circular;
    for (const thing of [circular, "\0", "x".repeat(131_073), JSON.parse('{"__proto__":1}')]) {
      expect(() => encoded(anything, { thing })).toThrow(expect.objectContaining({ code: "PAYLOAD_LIMIT" }));
    }
    expect(() => encoded(anything, { thing: Array(11).fill("x".repeat(100_000)) })).toThrow(
      /larger than 1048576 bytes/,
    );
    expect(encoded(anything, { thing: "a\\u0000b" })).toBe(JSON.stringify({ thing: "a\\u0000b" }));
  });

  it("refuses values without JSON", () => {
    const anything = contractDeclaration(event("thing.seen", z.any()));
    for (const value of [1n, () => 1, undefined]) {
      expect(() => encoded(anything, value)).toThrow(expect.objectContaining({ code: "CONTRACT_REJECTED" }));
    }
  });

  it("refuses an asynchronous schema, and one whose check throws", () => {
    const fails = (): boolean => {
      throw new Error("gone");
    };
    for (const check of [async () => true, fails]) {
      const slow = contractDeclaration(event("user.made", z.object({ name: z.string().refine(check) })));
      expect(() => encoded(slow, { name: "Ann" })).toThrow(
        expect.objectContaining({ code: "CONTRACT_INVALID", message: expect.stringContaining("asynchronously") }),
      );
    }
  });
});

describe("check", () => {
  it("lets unknown properties of newer writers pass, and fills in defaults", () => {
    const value = { orderId: "o-1", lines: [{ ...line, colour: "red" }], giftWrap: true };
    expect(placed.check(value)).toBeUndefined();
    expect(value).toMatchObject({ currency: "GBP", giftWrap: true });
  });

  it("says where and why", () => {
    expect(placed.check({ orderId: "o-1", lines: [{ sku: "a", quantity: "1" }] })).toBe(
      "/lines/0/quantity must be integer",
    );
    expect(placed.check({ lines: [] })).toBe("/ must have required property 'orderId'");
    expect(placed.check(null)).toBe("/ must be object");
  });

  it("passes everything that encode wrote", () => {
    const at = z.object({
      date: z.iso.date(),
      time: z.iso.time(),
      local: z.iso.datetime({ local: true }),
      offset: z.iso.datetime({ offset: true, precision: -1 }),
      utc: z.iso.datetime(),
      duration: z.iso.duration(),
      email: z.email(),
      unicode: z.email({ pattern: z.regexes.unicodeEmail }),
      url: z.url(),
      uuid: z.uuid(),
      ip: z.ipv6(),
      https: z.url().regex(/^https:/),
      state: z.discriminatedUnion("kind", [
        z.object({ kind: z.literal("on"), level: z.int() }),
        z.object({ kind: z.literal("off") }),
      ]),
      pair: z.tuple([z.string(), z.number()]),
      prices: z.record(z.string(), z.number()),
    });
    const declaration = contractDeclaration(event("all.kinds", at));
    const data: z.input<typeof at> = {
      date: "2026-01-01",
      time: "12:00",
      local: "2026-01-01T12:00:00",
      offset: "2026-01-01T12:00+01:00",
      utc: "2026-01-01T12:00:00.123456Z",
      duration: "P1DT2H",
      email: "ann@example.org",
      unicode: "änn@exämple.org",
      url: "http://example.org/a b",
      uuid: "0190e2a1-7b1c-7d3a-8f00-123456789abc",
      ip: "::1",
      https: "https://example.org",
      state: { kind: "on", level: 3 },
      pair: ["a", 1.5],
      prices: { tea: 2.5 },
    };
    expect(declaration.check(JSON.parse(encoded(declaration, data)))).toBeUndefined();
    expect(declaration.check({ ...data, https: "http://example.org" })).toMatch(/^\/https must match pattern/);
    expect(declaration.check({ ...data, state: { kind: "on", level: "3" } })).toMatch(
      /^\/state\/level must be integer/,
    );
    expect(declaration.check({ ...data, utc: "yesterday" })).toMatch(/^\/utc must match format/);
  });

  it("answers fast for patterns that block other engines", () => {
    const evil = contractDeclaration(event("name.given", z.object({ name: z.string().regex(/^(a+)+$/) })));
    const started = performance.now();
    expect(evil.check({ name: `${"a".repeat(5_000)}!` })).toMatch(/^\/name must match pattern/);
    expect(performance.now() - started).toBeLessThan(2_000);
  });
});

describe("keyOf", () => {
  it("takes strings, and numbers as text", () => {
    const byNumber = contractDeclaration(command("set-level", z.object({ level: z.number() }), { key: "level" }));
    expect(placed.keyOf({ orderId: "o-1" })).toBe("o-1");
    expect([byNumber.keyOf({ level: 17 }), byNumber.keyOf({ level: -0 })]).toEqual(["17", "0"]);
    expect(placed.keyOf({ orderId: "ä".repeat(256) })).toHaveLength(256);
  });

  it.each(["", "ä".repeat(257), "a\nb", "a\0", "\ud800", "\u0085", undefined, null, Number.NaN, {}, true])(
    "refuses %j",
    (orderId) => {
      expect(() => placed.keyOf({ orderId })).toThrow(
        expect.objectContaining({
          code: "CONTRACT_REJECTED",
          message: expect.stringMatching(/^order\.placed v1: \/orderId is the key and must/),
        }),
      );
    },
  );
});

describe("a declaration", () => {
  it("knows kind, type, version, key and JSON Schema", () => {
    expect(placed).toMatchObject({
      kind: "event",
      type: "order.placed",
      version: 1,
      key: "orderId",
      topic: { name: "orders" },
    });
    expect(placed.jsonSchema).toMatchObject({ type: "object", required: ["orderId", "lines"] });
    const cancel = contractDeclaration(
      command("cancel-order", z.object({ id: z.string() }), { key: "id", version: 3 }),
    );
    expect(cancel).toMatchObject({ kind: "command", type: "cancel-order", version: 3, key: "id", topic: undefined });
  });

  const name = z.object({ a: z.string() });
  it.each([
    "Order.placed",
    "order.",
    ".placed",
    "order..placed",
    "order.pla ced",
    "order.placed\r\n",
    "order.\0",
    "order_x.placed",
    `a.${"b".repeat(120)}`,
  ])("refuses %j as an event's name", (type) => {
    expect(() => event(type as "a.b", name)).toThrow(
      expect.objectContaining({ code: "CONTRACT_INVALID", message: expect.stringContaining("order.placed") }),
    );
  });

  it.each(["process.payment", "Process", "process payment", "", "-a", "a-", "1a"])(
    "refuses %j as a command's name",
    (type) => {
      expect(() => command(type, name, { key: "a" })).toThrow(expect.objectContaining({ code: "CONTRACT_INVALID" }));
    },
  );

  it("takes names of several kebab-case segments", () => {
    expect(event("back-office.order-2.sent-out", name).type).toBe("back-office.order-2.sent-out");
  });

  it.each([0, -1, 1.5, Number.NaN, 65_536])("refuses version %d", (version) => {
    expect(() => event("a.b", name, { version })).toThrow(/a\.b: version is .* whole number from 1/);
  });

  it("refuses a command without its key in the schema", () => {
    expect(() => command("do-it", name, { key: "b" as "a" })).toThrow(/do-it v1: its schema has no field "b"/);
  });
});
