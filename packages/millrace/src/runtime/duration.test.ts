import { expect, it } from "vitest";
import { type Duration, durationMs } from "./duration.js";

it.each([
  ["0ms", 0],
  ["250ms", 250],
  ["30s", 30_000],
  ["1.5m", 90_000],
  ["12h", 43_200_000],
  ["3650d", 315_360_000_000],
] as const)("reads %s", (text, ms) => {
  expect(durationMs(text, "timeout")).toBe(ms);
});

it.each(["30", "s", "-1s", "1e3s", "Infinityms", "5 s", "5w", "", "36501d", 30, null])(
  "refuses %j and names the option and the form",
  (value) => {
    expect(() => durationMs(value as Duration, "service payments: timeout")).toThrow(
      expect.objectContaining({
        code: "OPTION_INVALID",
        message: expect.stringMatching(/^service payments: timeout is .*like "30s"/),
      }),
    );
  },
);
