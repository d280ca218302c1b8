import type { VirtualClock } from "./virtual-clock.js";

const stepMs = 25;
const stepsMax = 40_000;
/** Where time passes by itself: how soon to look again, and when to give up. */
const [lookMs, patienceMs] = [5, 25_000];

/** Lets virtual time pass, a little at a time, until the condition holds. */
export async function passUntil(clock: VirtualClock, condition: () => unknown): Promise<void> {
  if (clock.flows === true) return await waitUntil(clock, condition);
  for (let step = 0; ; step += 1) {
    await clock.advance(0);
    if (await condition()) return;
    if (step === stepsMax)
      throw new Error(`the condition does not hold after ${(stepsMax * stepMs) / 1000} s of virtual time`);
    await clock.advance(stepMs);
  }
}

async function waitUntil(clock: VirtualClock, condition: () => unknown): Promise<void> {
  const began = clock.monotonic();
  while (!(await condition())) {
    if (clock.monotonic() - began > patienceMs)
      throw new Error(`the condition does not hold after ${patienceMs / 1000} s`);
    await new Promise<void>((resolve) => void clock.after(lookMs, resolve));
  }
}

/** Lets virtual time pass until the promise has settled, and answers as it does. */
export async function passWhile<T>(clock: VirtualClock, promise: Promise<T>): Promise<T> {
  let settled = false;
  const watched = promise.finally(() => {
    settled = true;
  });
  // Time passes until it is known; then its error is the caller's.
  watched.catch(() => undefined);
  await passUntil(clock, () => settled);
  return await watched;
}
