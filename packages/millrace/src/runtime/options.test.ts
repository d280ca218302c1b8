import { describe, expect, it } from "vitest";
import { checkOptions, checkText } from "./options.js";

interface Options {
  readonly timeout?: string;
  readonly concurrency?: number;
}
const names = { timeout: true, concurrency: true } as const;
const check = (given: unknown) => () => checkOptions<Options>(given as Options, names, { where: "shop" });

describe("checkOptions", () => {
  it("lets known options pass, also when they are undefined", () => {
    expect(check({})).not.toThrow();
    expect(check({ timeout: undefined, concurrency: 1 })).not.toThrow();
  });

  it.each([
    ["a slip", { concurency: 5 }, 'shop: there is no option "concurency"; did you mean concurrency?'],
    ["other capitals", { timeOut: "1s" }, 'shop: there is no option "timeOut"; did you mean timeout?'],
    ["something else", { colour: 1 }, 'shop: there is no option "colour"; there are timeout, concurrency'],
    ["a name that objects inherit", JSON.parse('{"__proto__":1}'), /no option "__proto__"/],
    ["a number", 5, "shop: options are an object, not 5"],
    ["null", null, "shop: options are an object, not null"],
    ["a list", [], "shop: options are an object, not a list"],
    ["a function", () => {}, "shop: options are an object, not a function"],
  ])("refuses %s and says what there is", (_, given, message) => {
    expect(check(given)).toThrow(message);
    expect(check(given)).toThrow(expect.objectContaining({ code: "OPTION_INVALID" }));
  });

  it("raises the code of its caller", () => {
    expect(() => checkOptions({ x: 1 } as object, {}, { where: "topic", code: "CONTRACT_INVALID" })).toThrow(
      expect.objectContaining({ code: "CONTRACT_INVALID", details: { option: "x" } }),
    );
  });
});

describe("checkText", () => {
  it("gives text back and names what is none", () => {
    expect(checkText("a", "publish: id")).toBe("a");
    for (const [given, said] of [
      [5, "5"],
      [undefined, "undefined"],
      [{ a: "secret" }, "an object"],
    ])
      expect(() => checkText(given, "publish: id")).toThrow(`publish: id is ${said}, which is not a string`);
  });
});
