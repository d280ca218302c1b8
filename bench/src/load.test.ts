import { expect, it } from "vitest";
import { inFlight, openLoop } from "./load.js";

const turn = () => new Promise((resolve) => setImmediate(resolve));

it("keeps as many under way as it is told, and does each once", async () => {
  const seen: number[] = [];
  let under = 0;
  let most = 0;
  await inFlight({ at: 3, total: 10 }, async (n) => {
    seen.push(n);
    under += 1;
    most = Math.max(most, under);
    await turn();
    under -= 1;
  });
  expect(seen).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  expect(most).toBe(3);
});

it("begins on time although nothing has ended, never before its time", async () => {
  const begun: number[] = [];
  const late: (() => void)[] = [];
  const all = openLoop({ perSecond: 2_000, total: 10 }, (n, dueMs) => {
    expect(performance.now()).toBeGreaterThanOrEqual(dueMs);
    begun.push(dueMs);
    const ended = new Promise<void>((resolve) => late.push(resolve));
    if (n === 9) for (const end of late) end();
    return ended;
  });
  await all;
  for (let n = 1; n < 10; n += 1) expect((begun[n] as number) - (begun[n - 1] as number)).toBeCloseTo(0.5, 3);
});
