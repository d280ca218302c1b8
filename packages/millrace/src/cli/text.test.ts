import { describe, expect, it } from "vitest";
import { withSet } from "./data.js";
import { joined } from "./events.js";
import { count, duration, plural, safe, shorten } from "./text.js";

describe("text for people", () => {
  it.each([
    [undefined, "unknown"],
    [0, "0"],
    [0.4, "1 ms"],
    [12, "12 ms"],
    [999, "999 ms"],
    [3_200, "3.2 s"],
    [59_000, "59 s"],
    [240_000, "4 min"],
    [9_000_000, "2.5 h"],
    [3 * 86_400_000, "3 d"],
  ])("writes %s ms as %j", (ms, text) => {
    expect(duration(ms)).toBe(text);
  });

  it("tells 0 from unknown", () => {
    expect([count(0), count(undefined)]).toEqual(["0", "unknown"]);
  });

  it("cannot draw on the terminal", () => {
    expect(safe("a\u001b[31mred\nb\u202ec\u0000é漢")).toBe("a\\u001b[31mred\\u000ab\\u202ec\\u0000é漢");
  });

  it("counts and shortens", () => {
    expect([plural(1, "event"), plural(2, "event"), plural(0, "event")]).toEqual(["1 event", "2 events", "0 events"]);
    expect([shorten("abcdef", 4), shorten("abcd", 4)]).toEqual(["abc…", "abcd"]);
  });
});

describe("--set", () => {
  it("replaces values below paths, as JSON where they read as such, and leaves the original", () => {
    const data = { a: 1, b: { c: "x", list: [1, 2] } };
    expect(withSet(data, ["a=2", "b.c=3 pounds", "b.list.0=true", 'b.d={"e":null}', "b.f=1=2"])).toEqual({
      a: 2,
      b: { c: "3 pounds", list: [true, 2], d: { e: null }, f: "1=2" },
    });
    expect(data.a).toBe(1);
  });

  it.each(["a", "=1", "a.b=1", "x.y=1", "__proto__.polluted=1", "b.__proto__.polluted=1"])("refuses %j", (setting) => {
    expect(() => withSet({ a: 1, b: {} }, [setting])).toThrow(expect.objectContaining({ code: "OPTION_INVALID" }));
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
  });
});

describe("the terms of a query", () => {
  it("are joined as they were given, and quoted where a shell took the quotes", () => {
    expect(joined(["type:order.*", "since:1h"])).toBe("type:order.* since:1h");
    expect(joined(["type:order.* since:1h"])).toBe("type:order.* since:1h");
    expect(joined(["key:two words", "type:a.b"])).toBe('key:"two words" type:a.b');
    expect(joined(['data.name="Ada L"'])).toBe('data.name="Ada L"');
  });
});
