import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { systemClock } from "./clock.js";

const day = 86_400_000;

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

it("sleeps longer than Node's longest timer without firing early", () => {
  const run = vi.fn();
  systemClock.after(60 * day, run);
  vi.advanceTimersByTime(60 * day - 1);
  expect(run).not.toHaveBeenCalled();
  vi.advanceTimersByTime(2);
  expect(run).toHaveBeenCalledTimes(1);
});

it("arms again when Node's timer fires before the monotonic clock says so", () => {
  const run = vi.fn();
  const monotonic = vi.spyOn(performance, "now").mockReturnValue(1_000);
  systemClock.after(10, run);
  monotonic.mockReturnValue(1_009.4);
  vi.advanceTimersByTime(10);
  expect(run).not.toHaveBeenCalled();
  monotonic.mockReturnValue(1_010.1);
  vi.advanceTimersByTime(1);
  expect(run).toHaveBeenCalledTimes(1);
  monotonic.mockRestore();
});

it("does not run what was cancelled, also after many days", () => {
  const run = vi.fn();
  const cancel = systemClock.after(60 * day, run);
  vi.advanceTimersByTime(50 * day);
  cancel();
  cancel();
  vi.advanceTimersByTime(50 * day);
  expect(run).not.toHaveBeenCalled();
  expect(vi.getTimerCount()).toBe(0);
});

it("runs at the next turn when the time has passed already", () => {
  const run = vi.fn();
  systemClock.after(-5, run);
  expect(run).not.toHaveBeenCalled();
  vi.advanceTimersByTime(1);
  expect(run).toHaveBeenCalledTimes(1);
});
