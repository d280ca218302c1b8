import { describe, expect, it } from "vitest";
import { changesBetween, valueAt } from "./changes.js";

describe("what differs between two states", () => {
  it.each([
    ["values", { a: 1, b: "x" }, { a: 2, b: "x" }, [{ path: "a", from: 1, to: 2 }]],
    [
      "what is new and what is gone",
      { a: 1 },
      { b: 1 },
      [
        { path: "a", from: 1 },
        { path: "b", to: 1 },
      ],
    ],
    [
      "lists, by position",
      { l: [1, 2, 3] },
      { l: [1, 4] },
      [
        { path: "l.1", from: 2, to: 4 },
        { path: "l.2", from: 3 },
      ],
    ],
    ["kinds", { a: [1] }, { a: { 0: 1 } }, [{ path: "a", from: [1], to: { 0: 1 } }]],
    ["null and nothing", { a: null }, {}, [{ path: "a", from: null }]],
    ["what is no object", 1, "1", [{ path: "", from: 1, to: "1" }]],
    ["dates, as JSON has them", { at: new Date(0) }, { at: new Date(0) }, []],
    ["deep ones", { a: { b: [{ c: 1 }] } }, { a: { b: [{ c: 2 }] } }, [{ path: "a.b.0.c", from: 1, to: 2 }]],
  ])("is told by path: %s", (_, from, to, changes) => {
    expect(changesBetween(from, to)).toEqual(changes);
  });
});

describe("the value at a path", () => {
  const state = { a: { b: [{ c: 1 }] }, "x.y": 2, x: { z: 3 } };
  it.each([
    ["a.b.0.c", 1],
    ["x.y", 2],
    ["x.z", 3],
    ["a.b.1", undefined],
    ["constructor", undefined],
    ["a.b.length.x", undefined],
    ["", state],
  ])("of %s is found", (path, value) => {
    expect(valueAt(state, path)).toEqual(value);
  });
});
