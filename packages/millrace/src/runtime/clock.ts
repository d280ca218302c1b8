/** Takes back what was asked for. Calling it again, or too late, does nothing. */
export type Cancel = () => void;

/** Time, passed in so that tests own it. */
export interface Clock {
  /** Milliseconds since 1970; may jump when somebody sets the clock. */
  now(): number;
  /** Milliseconds that only grow, from an arbitrary start. */
  monotonic(): number;
  /** Runs once when at least `ms` have passed on the monotonic clock; never early. */
  after(ms: number, run: () => void): Cancel;
}

/** Node fires longer sleeps at once (after 1 ms), so that they are slept in pieces. */
const sleepMsMax = 2 ** 31 - 1;

/** The clock of this machine. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after(ms, run) {
    const due = performance.now() + Math.max(0, ms);
    let timer: NodeJS.Timeout;
    const arm = (leftMs: number): void => {
      timer = setTimeout(
        () => {
          // Node rounds to its loop's millisecond and may fire a part of one early.
          const left = due - performance.now();
          if (left > 0) arm(left);
          else run();
        },
        Math.min(Math.ceil(leftMs), sleepMsMax),
      );
    };
    arm(Math.max(0, ms));
    return () => clearTimeout(timer);
  },
};
