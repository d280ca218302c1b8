import { describe, expect, it } from "vitest";
import { parseQuery } from "./query.js";

const now = Date.UTC(2026, 0, 2);

describe("the query bar", () => {
  it.each([
    ["", {}],
    ["type:order.*", { type: "order.*" }],
    ["key:o-1 source:orders topic:orders", { key: "o-1", source: "orders", topic: "orders" }],
    ["corr:0199b3a0-7c1e-7d3a-9b1f-2f6a1c0e4d55", { correlationId: "0199b3a0-7c1e-7d3a-9b1f-2f6a1c0e4d55" }],
    ["since:1h until:5m", { since: now - 3_600_000, until: now - 300_000 }],
    ["since:2026-01-01T12:00:00Z", { since: Date.UTC(2026, 0, 1, 12) }],
    ["since:2026-01-01", { since: Date.UTC(2026, 0, 1) }],
    ["data.totalPence>5000", { data: [{ path: "totalPence", op: ">", value: "5000" }] }],
    [
      "data.a.b>=1 data.c<2",
      {
        data: [
          { path: "a.b", op: ">=", value: "1" },
          { path: "c", op: "<", value: "2" },
        ],
      },
    ],
    ["data.status:paid", { data: [{ path: "status", op: "=", value: "paid" }] }],
    ["data.at=12:30", { data: [{ path: "at", op: "=", value: "12:30" }] }],
    ['key:"two words" data.name="Ada L"', { key: "two words", data: [{ path: "name", op: "=", value: "Ada L" }] }],
    ["key:a:b", { key: "a:b" }],
  ])("reads %j", (text, query) => {
    expect(parseQuery(text, now)).toEqual(query);
  });

  it.each(["order.placed", "colour:red", "type:", "since:yesterday", "data.x", "data.>1", ":x", 'key:""'])(
    "refuses %j, naming it",
    (text) => {
      expect(() => parseQuery(text, now)).toThrow(
        expect.objectContaining({ code: "OPTION_INVALID", message: expect.stringContaining(JSON.stringify(text)) }),
      );
    },
  );
});
