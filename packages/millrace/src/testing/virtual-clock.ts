import type { Clock } from "../runtime/clock.js";

/** A clock that stands still until told. */
export interface VirtualClock extends Clock {
  /**
   * Lets time pass. Timers that fall due fire in order, each at its own moment; promises and I/O callbacks that are ready
   * run between them and at the end, also those of timers set meanwhile.
   */
  advance(ms: number): Promise<void>;
  /** Somebody sets the wall clock, forwards or back; sleeps, which are monotonic, do not move. */
  set(nowMs: number): void;
  /** Time also passes by itself, as on the machine: what is waited for is really waited for. */
  readonly flows?: true;
}

interface Sleeper {
  readonly due: number;
  readonly run: () => void;
}

/** A {@link VirtualClock} that starts at the given moment, by default the first of January 2026. */
export function virtualClock(startMs: number = Date.UTC(2026, 0, 1)): VirtualClock {
  let monotonic = 0;
  let offset = startMs;
  const sleepers = new Set<Sleeper>();
  return {
    now: () => Math.floor(offset + monotonic),
    monotonic: () => monotonic,
    after(ms, run) {
      const sleeper = { due: monotonic + Math.max(0, ms), run };
      sleepers.add(sleeper);
      return () => void sleepers.delete(sleeper);
    },
    async advance(ms) {
      const end = monotonic + ms;
      await settle();
      for (let next = earliest(sleepers); next !== undefined && next.due <= end; next = earliest(sleepers)) {
        monotonic = Math.max(monotonic, next.due);
        sleepers.delete(next);
        next.run();
        await settle();
      }
      monotonic = Math.max(monotonic, end);
    },
    set(nowMs) {
      offset = nowMs - monotonic;
    },
  };
}

/** A set keeps insertion order, so that of two due at once the older wins. */
function earliest(sleepers: ReadonlySet<Sleeper>): Sleeper | undefined {
  let found: Sleeper | undefined;
  for (const sleeper of sleepers) if (found === undefined || sleeper.due < found.due) found = sleeper;
  return found;
}

/** A few turns of the loop: work that was ready, and what it made ready, has run. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 4; turn += 1) await new Promise<void>((done) => setImmediate(done));
}
