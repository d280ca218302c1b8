import { signal } from "../runtime/signals.js";
import type { Outcome } from "../store/unit.js";
import { tellCoalesced } from "./coalesce.js";
import type { FailedRuns } from "./failed-runs.js";
import type { Lanes } from "./lanes.js";
import type { Leaving } from "./leaving.js";
import type { Load } from "./load.js";
import { handledFields, type Run, type RunOwner } from "./run.js";
import type { RunsHost } from "./runs.js";
import type { SlowHandlers } from "./slow-handlers.js";

const handledSignal = signal("handled");

/** What a settlement needs of the runs it settles. */
export interface SettlementHost {
  readonly load: Load;
  readonly lanes: Lanes;
  readonly leaving: Leaving;
  readonly failures: FailedRuns;
  readonly slow: SlowHandlers;
  wake(): void;
  readonly of: Pick<RunsHost, "plan" | "progressed" | "leaseLost" | "amended">;
  stop(error: unknown): void;
}

/** What becomes of a run, and of its lane, when its commit is answered. */
export class Settlement implements RunOwner {
  readonly #host: SettlementHost;

  constructor(host: SettlementHost) {
    this.#host = host;
  }

  /** An error of the engine in here is nobody's to catch: it halts the consumer, not the process. */
  settled(run: Run, outcome: Outcome): void {
    if (run.gone) return;
    try {
      this.#settle(run, outcome);
    } catch (broken) {
      this.#host.stop(broken);
    }
  }

  #settle(run: Run, outcome: Outcome): void {
    const { load, lanes, leaving, failures, slow } = this.#host;
    switch (outcome.type) {
      case "committed":
      case "already":
        if (run.moving) slow.moved(run, outcome);
        else this.#acknowledged(run, outcome);
        break;
      case "reload":
        this.#reload(run);
        break;
      case "held":
        if (run.moving) {
          // An operator gave the lane an older head meanwhile: this run ends where it is, and joins then.
          slow.stays(run);
          break;
        }
        load.release(run);
        void lanes.refresh(run.lane);
        break;
      case "fenced":
        if (run.unit.effects.entry?.state === "following") run.lane.joining -= 1;
        leaving.leave(run);
        this.#host.of.leaseLost();
        break;
      case "failed":
        if (run.moving) slow.stays(run);
        // Not even its setting aside could be stored: losing the event would be worse than stalling.
        else if (run.lane.running !== run || run.setAside) this.#host.stop(outcome.error);
        else failures.failed(run, outcome.error);
    }
  }

  /** What is set aside has read nothing: its event was amended, and nobody may have told this process so far. */
  #reload(run: Run): void {
    const { of, failures, stop } = this.#host;
    const again = () => {
      if (!run.gone) failures.reload(run);
    };
    if (run.setAside) of.amended().then(again).catch(stop);
    else again();
  }

  #acknowledged(run: Run, outcome: Outcome): void {
    const { of, load, lanes } = this.#host;
    const consumer = of.plan.name;
    const { lane } = run;
    load.forget(run);
    lane.reloads = 0;
    const joined = run.unit.effects.entry?.state === "following";
    if (joined) lane.joining -= 1;
    else load.release(run);
    if (run.claim.type === "record" && !joined) {
      lane.shift();
      load.queued -= 1;
    }
    load.coalesced += run.superseded;
    if (run.superseded > 0) tellCoalesced(consumer, run);
    if (handledSignal.active) handledSignal.publish(handledFields(consumer, run, outcome));
    // Without entries before and after, the lane's state is known; else the store says who is its head now.
    if (lane.head === undefined && run.unit.effects.entry === undefined && !run.parked && !lane.stale)
      lanes.advance(lane);
    else void lanes.refresh(lane);
    // Whoever waits for a partition to be empty counts this run no more.
    of.progressed();
    this.#host.wake();
  }
}
