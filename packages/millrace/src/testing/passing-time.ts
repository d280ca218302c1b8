import type { VirtualClock } from "./virtual-clock.js";

const stepMs = 25;
const stepsMax = 40_000;

/** Lets virtual time pass, a little at a time, until the condition holds. */
export async function passUntil(clock: VirtualClock, condition: () => unknown): Promise<void> {
  for (let step = 0; ; step += 1) {
    await clock.advance(0);
    if (await condition()) return;
    if (step === stepsMax)
      throw new Error(`the condition does not hold after ${(stepsMax * stepMs) / 1000} s of virtual time`);
    await clock.advance(stepMs);
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
