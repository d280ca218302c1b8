import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { PositionState } from "./position-state.js";
import type { Position } from "./unit.js";

const position: Position = {
  id: 1,
  consumer: "c",
  topic: "t",
  partition: 0,
  epoch: 1,
  generation: 1,
  crashes: 0,
  frontier: 0,
  finished: [],
};

/** The plain way: a set of every offset that is done. */
function modelOf(start: number) {
  const done = new Set<number>();
  for (let offset = 0; offset < start; offset += 1) done.add(offset);
  return {
    finish(from: number, to: number) {
      for (let offset = from; offset < to; offset += 1) done.add(offset);
    },
    has: (offset: number) => done.has(offset),
    get frontier() {
      let frontier = 0;
      while (done.has(frontier)) frontier += 1;
      return frontier;
    },
    get ranges() {
      const ranges: [number, number][] = [];
      for (const offset of [...done].sort((a, b) => a - b)) {
        if (offset < this.frontier) continue;
        const last = ranges.at(-1);
        if (last !== undefined && last[1] === offset) last[1] = offset + 1;
        else ranges.push([offset, offset + 1]);
      }
      return ranges;
    },
  };
}

const step = fc.oneof(
  { weight: 8, arbitrary: fc.record({ at: fc.nat(60), length: fc.integer({ min: 1, max: 8 }) }) },
  { weight: 1, arbitrary: fc.constant("keep" as const) },
  { weight: 1, arbitrary: fc.constant("undo" as const) },
);

describe("a position", () => {
  it("knows the same offsets done as a plain set, in any order, with overlaps, kept and undone groups", () => {
    fc.assert(
      fc.property(fc.nat(5), fc.array(step, { maxLength: 60 }), (frontier, steps) => {
        const state = new PositionState({ ...position, frontier });
        let kept: [number, number][] = [];
        let staged: [number, number][] = [];
        const model = () => {
          const made = modelOf(frontier);
          for (const [from, to] of [...kept, ...staged]) made.finish(from, to);
          return made;
        };
        for (const one of steps) {
          if (one === "keep") {
            state.keep();
            kept = [...kept, ...staged];
            staged = [];
          } else if (one === "undo") {
            state.undo();
            staged = [];
          } else {
            expect(state.finish(one.at, one.at + one.length)).toBe(staged.length === 0);
            staged.push([one.at, one.at + one.length]);
          }
          const expected = model();
          expect([state.frontier, state.ranges]).toEqual([expected.frontier, expected.ranges]);
          for (let offset = 0; offset < 70; offset += 1) expect(state.has(offset)).toBe(expected.has(offset));
        }
      }),
      { numRuns: 300 },
    );
  });

  it("begins with what an earlier process had finished above the frontier", () => {
    const state = new PositionState({ ...position, frontier: 3, finished: [[5, 7]] });
    expect([2, 3, 4, 5, 6, 7].map((offset) => state.has(offset))).toEqual([true, false, false, true, true, false]);
    state.finish(3, 5);
    expect([state.frontier, state.ranges]).toEqual([7, []]);
  });
});
