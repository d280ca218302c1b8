import type { Clock } from "../runtime/clock.js";
import type { Lane } from "./lane.js";
import { KeyRates, Rate, type RatePlan } from "./rate.js";
import type { Run } from "./run.js";

/** When runs of a subscription may start, in numbers. Undefined parts do not limit. */
export interface FlowPlan {
  readonly rate: RatePlan | undefined;
  readonly keyRate: RatePlan | undefined;
  /** Of a key's waiting events only the newest runs. */
  readonly coalesces: boolean;
  /** The newest runs when its key has been quiet for a time, or the oldest has waited for long. */
  readonly debounce: { readonly quietMs: number; readonly waitMsMax: number } | undefined;
}

/** Says when the runs of one subscription may start. */
export class Flow {
  readonly plan: FlowPlan;
  readonly #clock: Clock;
  readonly #rate: Rate | undefined;
  readonly #keys: KeyRates | undefined;

  constructor(plan: FlowPlan, clock: Clock) {
    this.plan = plan;
    this.#clock = clock;
    this.#rate = plan.rate && new Rate(plan.rate);
    this.#keys = plan.keyRate && new KeyRates(plan.keyRate);
  }

  /** How long this lane has to wait; the others need not. */
  laneWaitMs(lane: Lane, run: Run): number {
    return this.quietWaitMs(run) || (this.#keys?.waitMs(lane.key, this.#clock.monotonic()) ?? 0);
  }

  /** How long every lane has to wait. */
  waitMs(): number {
    return this.#rate?.waitMs(this.#clock.monotonic()) ?? 0;
  }

  started(lane: Lane): void {
    const now = this.#clock.monotonic();
    this.#rate?.take(now);
    this.#keys?.take(lane.key, now);
  }

  /**
   * How long a first run has to wait for its key to be quiet. Counted from when the events reached the log, so that a restart
   * does not begin the wait anew; and never longer than from now, whatever happened to the clock.
   */
  quietWaitMs(run: Run): number {
    const { debounce } = this.plan;
    if (debounce === undefined || run.hurried || run.begun || run.parked) return 0;
    const now = this.#clock.monotonic();
    const wall = this.#clock.now();
    if (run.quietAt === 0) run.quietAt = now + bounded(run.record.appended + debounce.quietMs - wall, debounce.quietMs);
    if (run.waitAt === 0) run.waitAt = now + bounded(run.since + debounce.waitMsMax - wall, debounce.waitMsMax);
    return Math.max(0, Math.min(run.quietAt, run.waitAt) - now);
  }
}

function bounded(ms: number, msMax: number): number {
  return Math.max(0, Math.min(ms, msMax));
}
