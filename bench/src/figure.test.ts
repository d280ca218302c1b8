import { expect, it } from "vitest";
import { figure } from "./figure.js";

const facts = { name: "publish", unit: "events/s", value: 130_000, ceiling: 200_000 };

it("is ok only when all that was asked for holds", () => {
  expect(figure({ ...facts, goal: { atLeast: 120_000, ratioAtLeast: 0.6 } })).toMatchObject({ ratio: 0.65, ok: true });
  expect(figure({ ...facts, goal: { atLeast: 120_000, ratioAtLeast: 0.7 } })).toMatchObject({ ok: false });
  expect(figure({ ...facts, goal: { atLeast: 140_000, ratioAtLeast: 0.6 } })).toMatchObject({ ok: false });
  expect(figure({ ...facts, goal: { atMost: 130_000 } })).toMatchObject({ ok: true, target: "≤ 130,000" });
  expect(figure({ ...facts, goal: { atMost: 129_999 } })).toMatchObject({ ok: false });
});

it("does not pass by a ratio that was not measured", () => {
  expect(figure({ name: "a", unit: "b", value: 1, goal: { ratioAtLeast: 0.5 } })).toMatchObject({
    ratio: null,
    ok: false,
  });
});

it("has no verdict where nothing was asked for", () => {
  expect(figure(facts)).toMatchObject({ target: null, ok: null });
});
