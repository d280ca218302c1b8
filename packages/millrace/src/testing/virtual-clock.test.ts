import { setImmediate as turn } from "node:timers/promises";
import { expect, it } from "vitest";
import { virtualClock } from "./virtual-clock.js";

it("stands still until told, then fires what is due in order, each at its moment", async () => {
  const clock = virtualClock(1_000);
  const fired: [string, number][] = [];
  clock.after(20, () => fired.push(["b", clock.now()]));
  clock.after(10, () => fired.push(["a", clock.now()]));
  clock.after(20, () => fired.push(["c", clock.now()]));
  clock.after(21, () => fired.push(["d", clock.now()]));
  await clock.advance(20);
  expect(fired).toEqual([
    ["a", 1_010],
    ["b", 1_020],
    ["c", 1_020],
  ]);
  expect([clock.now(), clock.monotonic()]).toEqual([1_020, 20]);
});

it("lets promises and turns of the loop run between timers, and fires what they set", async () => {
  const clock = virtualClock(0);
  const seen: string[] = [];
  const work = async (): Promise<void> => {
    await turn();
    clock.after(10, () => seen.push(`second at ${clock.now()}`));
  };
  clock.after(10, () => void work());
  clock.after(30, () => seen.push(`third at ${clock.now()}`));
  await clock.advance(30);
  expect(seen).toEqual(["second at 20", "third at 30"]);
});

it("does not fire what was cancelled", async () => {
  const clock = virtualClock();
  const seen: string[] = [];
  const cancel = clock.after(10, () => seen.push("cancelled"));
  clock.after(5, cancel);
  await clock.advance(100);
  expect(seen).toEqual([]);
});

it("keeps sleeps as they are when somebody sets the wall clock", async () => {
  const clock = virtualClock(0);
  const seen: number[] = [];
  clock.after(10, () => seen.push(clock.now()));
  clock.set(3_600_000);
  await clock.advance(9);
  expect(seen).toEqual([]);
  await clock.advance(1);
  expect(seen).toEqual([3_600_010]);
});
