import { describe, expect, it } from "vitest";
import { linePence, pounds } from "./pence.js";

describe("linePence", () => {
  it.each([
    ["2.55", 6, 1530],
    ["0.0", 56, 0],
    ["8.5", 1, 850],
    ["7", 3, 2100],
    ["7.", 3, 2100],
    ["-11062.06", 1, -1_106_206],
    ["4.25", -12, -5100],
    ["649.5", 80_995, 5_260_625_250],
  ])("is exact for %s × %i", (unitPrice, quantity, pence) => {
    expect(linePence(unitPrice, quantity)).toBe(pence);
  });

  it.each([
    ["0.615", 1, 62],
    ["0.625", 1, 62],
    ["0.635", 1, 64],
    ["0.001", 5, 0],
    ["0.005", 3, 2],
    ["0.0051", 1, 1],
    ["0.615", -1, -62],
    ["0.625", -1, -62],
    ["-0.635", 1, -64],
    ["0.001", 20_500, 2050],
  ])("rounds half to even for %s × %i", (unitPrice, quantity, pence) => {
    expect(linePence(unitPrice, quantity)).toBe(pence);
  });

  it.each(["", "two", "1e3", "1,50", "0x10", " 1"])("refuses %j as a price", (unitPrice) => {
    expect(() => linePence(unitPrice, 1)).toThrow(RangeError);
  });

  it("refuses half a piece, and sums that a number cannot hold", () => {
    expect(() => linePence("1", 0.5)).toThrow(RangeError);
    expect(() => linePence("99999999999999", 1_000)).toThrow(RangeError);
  });
});

it("writes pounds for people", () => {
  expect([5, 123_450, -99, 100_000_000].map(pounds)).toEqual(["£0.05", "£1,234.50", "-£0.99", "£1,000,000.00"]);
});
