import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { checkLimits, limits, parseJson } from "./limits.js";

const overLimit = expect.objectContaining({ code: "PAYLOAD_LIMIT", message: expect.stringMatching(/^body: .*; /) });
const nested = (depth: number): unknown => (depth === 0 ? 1 : [nested(depth - 1)]);
const keyed = (count: number): Record<string, number> =>
  Object.fromEntries(Array.from({ length: count }, (_, i) => [`k${i}`, i]));

describe.each<[string, (value: unknown) => unknown]>([
  ["checkLimits", (value) => checkLimits(value, "body")],
  ["parseJson of text", (value) => parseJson(JSON.stringify(value), "body")],
  ["parseJson of bytes", (value) => parseJson(Buffer.from(JSON.stringify(value)), "body")],
])("%s", (_, run) => {
  it.each<[string, unknown]>([
    ["depth", nested(limits.depthMax)],
    ["number of keys", keyed(limits.keysMax)],
    ["number of items", Array(30_000).fill(1)],
    ["length of a string", "x".repeat(limits.stringBytesMax)],
    ["brackets in strings", { text: "[{".repeat(200), more: '"[\\'.repeat(50) }],
    ["brackets after an escaped quote", { text: `"${"[".repeat(80)}` }],
    ["a constructor without a prototype", { constructor: "Wren", proto: { constructor: { name: "x" } } }],
  ])("lets the greatest %s pass", (_what, value) => {
    expect(() => run(value)).not.toThrow();
  });

  it.each<[string, unknown]>([
    ["too deep", nested(limits.depthMax + 1)],
    ["too deep in objects", JSON.parse(`${'{"a":'.repeat(65)}1${"}".repeat(65)}`)],
    ["too many keys", keyed(limits.keysMax + 1)],
    ["too many keys in all", Array(101).fill(keyed(100))],
    ["too long a string", "x".repeat(limits.stringBytesMax + 1)],
    ["too long a string in bytes", "€".repeat(limits.stringBytesMax / 3 + 1)],
    ["too long a key", { ["x".repeat(limits.stringBytesMax + 1)]: 1 }],
    ["NUL", ["a\0b"]],
    ["NUL in a key", { "a\0": 1 }],
    ["__proto__", JSON.parse('{"a":{"__proto__":{"admin":true}}}')],
    ["constructor.prototype", [{ constructor: { prototype: {} } }]],
  ])("refuses %s", (_what, value) => {
    expect(() => run(value)).toThrow(overLimit);
  });
});

describe("checkLimits", () => {
  it("refuses a value that refers to itself", () => {
    const circular: unknown[] = [];
    circular.push(circular);
    expect(() => checkLimits(circular, "body")).toThrow(overLimit);
  });
});

describe("parseJson", () => {
  it("reads what JSON.parse reads", () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 8 }), (value) => {
        const text = JSON.stringify(value);
        fc.pre(!text.includes("\\u0000") && !text.includes("__proto__"));
        expect(parseJson(text, "body")).toEqual(JSON.parse(text));
        expect(parseJson(Buffer.from(text), "body")).toEqual(JSON.parse(text));
      }),
    );
  });

  it("refuses forbidden keys and NUL however they are escaped", () => {
    for (const text of [
      '{"\\u005f_proto__":1}',
      '{"\\u0063onstructor":{"prototype":1}}',
      '"\\u0000"',
      '{"__proto__":null}',
    ]) {
      expect(() => parseJson(text, "body")).toThrow(overLimit);
    }
  });

  it("refuses too many bytes before reading them", () => {
    expect(() => parseJson(Buffer.alloc(limits.bytesMax + 1, 255), "body")).toThrow(overLimit);
    expect(() => parseJson(`"${"€".repeat(limits.bytesMax / 3)}"`, "body")).toThrow(overLimit);
  });

  it("refuses a mebibyte of opening brackets quickly", () => {
    const started = performance.now();
    expect(() => parseJson("[".repeat(limits.bytesMax), "body")).toThrow(overLimit);
    expect(() => parseJson(`"${"\\".repeat(limits.bytesMax - 2)}"`, "body")).toThrow();
    expect(performance.now() - started).toBeLessThan(1_000);
  });

  it.each(["", "{", "{'a':1}", "[1,]", "NaN", "\ufeff{}", '"\u0001"', "[[[[}", `${"[".repeat(70)}"`])(
    "calls %j undecodable or too deep",
    (text) => {
      expect(() => parseJson(text, "body")).toThrow(
        expect.objectContaining({ code: expect.stringMatching(/^(RECORD_UNDECODABLE|PAYLOAD_LIMIT)$/) }),
      );
    },
  );

  it("takes a replacement character that somebody really wrote", () => {
    expect(parseJson(Buffer.from('"\ufffd"'), "body")).toBe("\ufffd");
  });

  it("does not show the data in the message", () => {
    expect(() => parseJson('{"name":"Ann Smith"', "body")).toThrow(
      expect.objectContaining({
        code: "RECORD_UNDECODABLE",
        message: expect.not.stringContaining("Ann"),
        cause: expect.any(SyntaxError),
      }),
    );
  });

  it.each([[[0xff]], [[0x22, 0xc3, 0x22]], [[0x22, 0xed, 0xa0, 0x80, 0x22]]])(
    "refuses bytes that are not UTF-8 (%j)",
    (bytes) => {
      expect(() => parseJson(Uint8Array.from(bytes), "body")).toThrow(
        expect.objectContaining({ code: "RECORD_UNDECODABLE" }),
      );
    },
  );
});
