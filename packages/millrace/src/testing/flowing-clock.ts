import { systemClock } from "../runtime/clock.js";
import type { VirtualClock } from "./virtual-clock.js";

/**
 * A clock for programs whose servers live in real time: it goes as the machine's does, and `advance` jumps, as for a machine that
 * slept. What falls due in the jump fires at its end, the oldest first.
 */
export function flowingClock(): VirtualClock {
  let jumped = 0;
  let wall = 0;
  const sleepers = new Set<{ readonly due: number; readonly fire: () => void }>();
  const monotonic = () => systemClock.monotonic() + jumped;
  return {
    now: () => systemClock.now() + jumped + wall,
    monotonic,
    after(ms, run) {
      const due = monotonic() + Math.max(0, ms);
      const fire = () => {
        cancel();
        sleepers.delete(sleeper);
        run();
      };
      const sleeper = { due, fire };
      const cancel = systemClock.after(ms, fire);
      sleepers.add(sleeper);
      return () => {
        cancel();
        sleepers.delete(sleeper);
      };
    },
    async advance(ms) {
      jumped += ms;
      for (const { due, fire } of [...sleepers].sort((a, b) => a.due - b.due)) if (due <= monotonic()) fire();
      await new Promise<void>((done) => setImmediate(done));
    },
    set(nowMs) {
      wall += nowMs - (systemClock.now() + jumped + wall);
    },
    flows: true,
  };
}
