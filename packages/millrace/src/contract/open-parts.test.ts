import { describe, expect, it } from "vitest";
import { z } from "zod";
import { contractDeclaration } from "./contract.js";
import { documentDeclaration, documents } from "./documents.js";
import { event } from "./event.js";
import { compileSchema, type StandardSchema } from "./schema.js";

const accepting = (schema: z.ZodType) => contractDeclaration(event("thing.seen", schema));
const money = { pence: 3, toJSON: () => ({ pence: "three" }) };

describe("what is validated is what is stored", () => {
  const cases: readonly [string, z.ZodType, given: unknown, stored: unknown][] = [
    ["a date", z.any(), new Date(0), "1970-01-01T00:00:00.000Z"],
    ["a function and a symbol", z.unknown(), { a: 1, f: () => 1, s: Symbol("s") }, { a: 1 }],
    ["undefined in a list", z.object({ list: z.array(z.any()) }), { list: [undefined, 1] }, { list: [null, 1] }],
    ["NaN", z.record(z.string(), z.unknown()), { n: Number.NaN }, { n: null }],
    ["a value that says what JSON it is", z.union([z.int(), z.any()]), money, { pence: "three" }],
    [
      "more properties",
      z.looseObject({ id: z.string() }),
      { id: "a", at: new Date(0) },
      { id: "a", at: "1970-01-01T00:00:00.000Z" },
    ],
    ["a shared part", z.object({ a: z.array(z.any().meta({ id: "Any" })) }), { a: [new Map()] }, { a: [{}] }],
  ];
  it.each(cases)("%s", (_, schema, given, stored) => {
    const declaration = accepting(schema);
    const accepted = declaration.accept(given);
    expect(accepted).toEqual(stored);
    expect(JSON.parse(declaration.textOf(accepted))).toEqual(accepted);
  });

  it("in documents too", () => {
    const seen = documents("seen", z.object({ id: z.string(), more: z.unknown() }), { id: "id" });
    expect(documentDeclaration(seen).accept({ id: "a", more: new Date(0) })).toEqual({
      id: "a",
      more: "1970-01-01T00:00:00.000Z",
    });
  });
});

it("a value whose JSON does not fit is refused, though it fits itself", () => {
  const loose = accepting(z.looseObject({ pence: z.int() }));
  expect(() => loose.accept(money)).toThrow(
    expect.objectContaining({ code: "CONTRACT_REJECTED", message: expect.stringContaining("/pence") }),
  );
  expect(() => accepting(z.any()).accept({ toJSON: () => JSON.parse('{"__proto__":{"a":1}}') })).toThrow(
    expect.objectContaining({ code: "PAYLOAD_LIMIT" }),
  );
});

it("a schema of a library that hands objects through is held to it as well", () => {
  const jsonSchema = { type: "object", properties: { pence: { type: "integer" } }, additionalProperties: false };
  const through = {
    "~standard": {
      version: 1,
      vendor: "foreign",
      validate: (value: unknown) => ({ value }),
      jsonSchema: { input: () => jsonSchema, output: () => jsonSchema },
    },
  } as StandardSchema;
  expect(compileSchema(through, "a.b v1").validate(money)).toEqual({ ok: true, value: { pence: "three" } });
});

it("schemas without open parts never ask for the JSON of what they are given", () => {
  const node: z.ZodType = z.lazy(() => z.object({ name: z.string(), next: node.optional() }));
  const closed = z.object({
    id: z.string(),
    lines: z.array(z.object({ sku: z.enum(["a", "b"]), n: z.int().nullable() })),
    counts: z.record(z.string(), z.int()),
    pair: z.tuple([z.literal(1), z.boolean()]),
    kind: z.discriminatedUnion("k", [z.object({ k: z.literal("x") }), z.object({ k: z.literal("y"), n: z.number() })]),
    node,
    json: z.json(),
  });
  const data = { id: "a", lines: [], counts: {}, pair: [1, true], kind: { k: "x" }, node: { name: "n" }, json: {} };
  const accept = () =>
    accepting(closed).accept({
      ...data,
      toJSON() {
        throw new Error("JSON was asked for");
      },
    });
  expect(accept()).toEqual(data);
});
