import { describe, expect, it } from "vitest";
import { z } from "zod";
import { compileSchema, type StandardSchema } from "./schema.js";

const codec = z.codec(z.string(), z.number(), { decode: Number, encode: String });

describe("a schema is refused at declaration", () => {
  it.each<[string, StandardSchema, RegExp]>([
    ["a date", z.object({ at: z.date() }), /iso\.datetime/],
    ["a bigint", z.object({ n: z.bigint() }), /z\.int\(\)/],
    ["a transform", z.object({ n: z.string().transform(Number) }), /in the handler/],
    ["a codec", z.object({ n: codec }), /changes the data/],
    ["a codec in a list", z.array(codec), /changes the data/],
    ["a codec in a record", z.record(z.string(), codec), /changes the data/],
    ["a codec in an alternative", z.union([z.null(), codec]), /changes the data/],
    ["a map", z.map(z.string(), z.string()), /z\.record/],
    ["a set", z.set(z.string()), /z\.array/],
    ["undefined", z.object({ a: z.undefined() }), /optional/],
    ["a type of one's own", z.custom(() => true), /only what JSON can hold/],
    ["a pattern that looks around", z.string().regex(/^(?!a)b/), /bounded time/],
    ["a pattern with a back reference", z.array(z.string().regex(/(a)\1/)), /bounded time/],
  ])("for %s", (_, schema, fix) => {
    expect(() => compileSchema(schema, "a.b v1")).toThrow(
      expect.objectContaining({ code: "CONTRACT_INVALID", message: expect.stringMatching(/^a\.b v1: /) }),
    );
    expect(() => compileSchema(schema, "a.b v1")).toThrow(fix);
  });

  it("when it is none, or cannot give a JSON Schema", () => {
    for (const none of [{}, null, { "~standard": {} }]) {
      expect(() => compileSchema(none as never, "a.b v1")).toThrow(/not a Standard Schema/);
    }
    const plain = { "~standard": { version: 1 as const, vendor: "plain", validate: (value: unknown) => ({ value }) } };
    expect(() => compileSchema(plain, "a.b v1")).toThrow(/plain do not give a JSON Schema/);
  });
});

describe("a schema is taken", () => {
  it.each<[string, StandardSchema]>([
    ["with defaults, in which the directions differ", z.object({ a: z.int().default(3), b: z.string().prefault("x") })],
    ["with optional and nullable parts", z.object({ a: z.int().optional(), b: z.string().nullable() })],
    ["that narrows in a pipe", z.string().pipe(z.string().min(3))],
    ["that refers to itself", z.json()],
    [
      "with shared parts",
      z.object({ a: z.string().meta({ id: "A" }), b: z.array(z.object({ c: z.int() }).meta({ id: "C" })) }),
    ],
    [
      "with keywords of the user's own",
      z.object({ mail: z.string().meta({ sensitive: true, examples: [{ pattern: "(" }] }) }),
    ],
    ["that trims", z.string().trim()],
  ])("%s", (_, schema) => {
    expect(() => compileSchema(schema, "a.b v1").check(null)).not.toThrow();
  });
});

describe("schemas of other libraries", () => {
  const foreign = (
    jsonSchema: Record<string, unknown>,
    validate: (value: unknown) => unknown = (value) => ({ value }),
  ): StandardSchema =>
    ({
      "~standard": {
        version: 1,
        vendor: "foreign",
        validate,
        jsonSchema: { input: () => jsonSchema, output: () => jsonSchema },
      },
    }) as StandardSchema;

  it("keep their patterns beside formats, and may share an $id", () => {
    const schema = foreign({ $id: "https://example.org/a", type: "string", format: "email", pattern: "^a" });
    expect(compileSchema(schema, "a.b v1").check("b@c.d")).toMatchObject({ keyword: "pattern" });
    expect(compileSchema(schema, "a.c v1").check("a@c.d")).toBeUndefined();
  });

  it("have their patternProperties checked too", () => {
    expect(() => compileSchema(foreign({ patternProperties: { "(?=a)": {} } }), "a.b v1")).toThrow(/bounded time/);
    const taken = compileSchema(
      foreign({ patternProperties: { "^a": { type: "string" }, "^b": { type: "number" } } }),
      "a.b v1",
    );
    expect([taken.check({ a1: "x", b1: 1 }), taken.check({ b1: "x" })]).toMatchObject([
      undefined,
      { path: "/b1", reason: "must be number" },
    ]);
  });

  it("are refused when they refer to other documents", () => {
    const schema = compileSchema(foreign({ $ref: "https://example.org/other" }), "a.b v1");
    expect(() => schema.check({})).toThrow(expect.objectContaining({ code: "CONTRACT_INVALID" }));
  });

  it("may give their paths as segments; control characters do not reach the message", () => {
    const path = [{ key: "a/b" }, 0, "c\n~"];
    expect(
      compileSchema(
        foreign({}, () => ({ issues: [{ message: "no", path }] })),
        "a.b v1",
      ).validate(1),
    ).toEqual({ ok: false, path: "/a~1b/0/c?~0", reason: "no" });
  });
});
