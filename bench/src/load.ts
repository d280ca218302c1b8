/** Does `one` for 0 … total - 1, so many at a time: each that ends makes room for the next. */
export async function inFlight(
  { at, total }: { readonly at: number; readonly total: number },
  one: (n: number) => Promise<unknown>,
): Promise<void> {
  let next = 0;
  const loop = async () => {
    while (next < total) {
      const n = next;
      next += 1;
      await one(n);
    }
  };
  await Promise.all(Array.from({ length: Math.min(at, total) }, loop));
}

/** As many as `total`, as {@link steadily} begins them. */
export function openLoop(
  { perSecond, total }: { readonly perSecond: number; readonly total: number },
  one: (n: number, dueMs: number) => Promise<unknown>,
): Promise<void> {
  return steadily({ perSecond, ended: (begun) => begun >= total }, one);
}

/**
 * Begins `one` at a steady rate, whether or not the ones before have ended (an open loop), until `ended` of how many have
 * begun; and waits for all.
 *
 * `dueMs` is when it should have begun, by `performance.now()`: measured from there, a stalled event loop counts
 * against what stalled it. The loop watches the clock without sleeping, because timers are a millisecond coarse.
 */
export function steadily(
  { perSecond, ended }: { readonly perSecond: number; readonly ended: (begun: number) => boolean },
  one: (n: number, dueMs: number) => Promise<unknown>,
): Promise<void> {
  const everyMs = 1000 / perSecond;
  return new Promise((resolve, reject) => {
    const startMs = performance.now();
    let begun = 0;
    // Counted rather than collected: thousands of kept promises would give the garbage collector work of our making.
    let open = 0;
    const end = () => {
      open -= 1;
      if (open === 0 && ended(begun)) resolve();
    };
    const turn = () => {
      const nowMs = performance.now();
      for (; !ended(begun) && startMs + begun * everyMs <= nowMs; begun += 1) {
        open += 1;
        one(begun, startMs + begun * everyMs).then(end, reject);
      }
      if (!ended(begun)) setImmediate(turn);
      else if (open === 0) resolve();
    };
    turn();
  });
}

/** Time and processor time since `start` for `count` of something. */
export function rate(start: Start, count: number): { readonly perSecond: number; readonly cpuMs: number } {
  const seconds = (performance.now() - start.ms) / 1000;
  const { user, system } = process.cpuUsage(start.cpu);
  return { perSecond: count / seconds, cpuMs: (user + system) / 1000 / count };
}

/** A moment to measure from. */
export interface Start {
  readonly ms: number;
  readonly cpu: NodeJS.CpuUsage;
}

export function now(): Start {
  return { ms: performance.now(), cpu: process.cpuUsage() };
}
