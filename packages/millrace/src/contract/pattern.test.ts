import { describe, expect, it } from "vitest";
import { z } from "zod";
import { contractDeclaration } from "./contract.js";
import { documentDeclaration, documents } from "./documents.js";
import { event } from "./event.js";
import { isPlain } from "./pattern.js";

const evil = /^(a+)+$/;
const hostile = `${"a".repeat(60)}!`;

/** Accepts with a schema, as publish, HTTP and documents do. Never comes back when a backtracking engine gets the string. */
const accepting = (schema: z.ZodType) => contractDeclaration(event("thing.named", schema));

describe("a hostile string does not reach a backtracking engine", () => {
  it.each<[string, z.ZodType, unknown]>([
    ["in a field", z.object({ name: z.string().regex(evil) }), { name: hostile }],
    ["beside other faults", z.object({ name: z.string().max(3).regex(evil), n: z.int() }), { name: hostile, n: "x" }],
    ["in a list", z.array(z.object({ tag: z.string().regex(evil).optional() })), [{}, { tag: hostile }]],
    ["in a record", z.record(z.string(), z.string().regex(evil)), { a: hostile }],
    ["as a record's key", z.record(z.string().regex(evil), z.int()), { [hostile]: 1 }],
    ["in an alternative that no other fits", z.union([z.int(), z.string().regex(evil)]), hostile],
    [
      "in one of several kinds",
      z.discriminatedUnion("kind", [
        z.object({ kind: z.literal("a"), code: z.string().regex(evil) }),
        z.object({ kind: z.literal("b"), code: z.int() }),
      ]),
      { kind: "a", code: hostile },
    ],
    ["that is to be trimmed", z.string().trim().regex(evil), ` ${hostile}`],
    ["in a part with a default", z.object({ name: z.string().regex(evil).default("a") }), { name: hostile }],
  ])("%s", (_, schema, value) => {
    expect(() => accepting(schema).accept(value)).toThrow(
      expect.objectContaining({ code: "CONTRACT_REJECTED", message: expect.stringContaining("must match pattern") }),
    );
  });

  it("of a document", () => {
    const named = documents("named", z.object({ id: z.string(), name: z.string().regex(evil) }), { id: "id" });
    expect(() => documentDeclaration(named).accept({ id: "a", name: hostile })).toThrow(
      expect.objectContaining({ code: "DOCUMENT_REJECTED", message: expect.stringContaining("/name must match") }),
    );
  });
});

it("what fits is accepted as the schema makes it, and the value that is given stays as it is", () => {
  const given = { name: "aaa" };
  const schema = z.object({ name: z.string().regex(evil), n: z.int().default(3) });
  expect(accepting(schema).accept(given)).toEqual({ name: "aaa", n: 3 });
  expect(given).toEqual({ name: "aaa" });
  expect(() => accepting(schema).accept({ name: "a", n: "x" })).toThrow(/n Invalid input/);
});

it("a pattern that is plain is left to the schema, which may trim first", () => {
  const country = z
    .string()
    .trim()
    .toUpperCase()
    .regex(/^[A-Z]{2}$/);
  expect(accepting(country).accept(" be ")).toBe("BE");
});

it.each([
  ["^[A-Z]{2}$", true],
  ["^[a-z0-9*+-]+$", true],
  ["^(?:ab\\+)$", true],
  ["^(?<year>\\d{4})-\\d{2}$", true],
  ["x", true],
  ["^a.*", true],
  ["(ab|c)", false],
  ["\\d+$", false],
  ["^(a+)+$", false],
  ["^a?a$|b", false],
  ["^\\d{1,9}\\d{2,}$", false],
  ["^(a+){9}$", false],
  ["^[\\]*]+a*", false],
  ["^[[]a+b+", false],
])("%s is plain: %s", (pattern, plain) => {
  expect(isPlain(pattern)).toBe(plain);
});
