import { monitorEventLoopDelay } from "node:perf_hooks";
import type { Consumer } from "../consumer/consumer.js";
import type { SlowRuns } from "../consumer/plan.js";
import type { Run } from "../consumer/run.js";
import { type Cancel, type Clock, systemClock } from "../runtime/clock.js";
import { durationMs } from "../runtime/duration.js";
import type { Logger } from "../runtime/logger.js";
import type { AppOptions } from "./app.js";

const resolutionMs = 20;
const lookEveryMs = 1_000;
const warnEveryMs = 60_000;
const namesMax = 5;
/** A loop that computed had at least this share of the time on a processor, also where others want it. */
const busyMin = 0.2;

export interface LoopWatchOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  /** How long the loop may stand still. */
  readonly delayMsMax: number;
}

/** What an app asks for; undefined when that is not to watch. Handlers are timed by the machine's clock. */
export function loopWatch(
  { loopDelayMax, clock = systemClock }: Pick<AppOptions, "loopDelayMax" | "clock">,
  logger: Logger,
): LoopWatch | undefined {
  const delay = loopDelayMax ?? (clock === systemClock ? "200ms" : false);
  if (delay === false) return undefined;
  return new LoopWatch({ clock: systemClock, logger, delayMsMax: durationMs(delay, "loopDelayMax") });
}

/** Warns when the event loop stood still, at most once a minute, and names the handlers that were running. */
export class LoopWatch {
  /** Handlers that ran through the standstill took at least as long. */
  readonly slowRuns: SlowRuns;
  readonly #options: LoopWatchOptions;
  readonly #delay = monitorEventLoopDelay({ resolution: resolutionMs });
  /** Handlers that have ended since the last look, and took long. */
  #ended = new Set<string>();
  #consumers: readonly Consumer[] = [];
  #warnedAt = Number.NEGATIVE_INFINITY;
  #cpuMs = cpuMs();
  #cancel: Cancel = () => {};

  constructor(options: LoopWatchOptions) {
    this.#options = options;
    this.slowRuns = { ms: options.delayMsMax, add: (run) => void this.#ended.add(nameOf(run)) };
  }

  start(consumers: readonly Consumer[]): void {
    this.#consumers = consumers;
    this.#delay.enable();
    this.#sleep();
  }

  close(): void {
    this.#cancel();
    this.#delay.disable();
  }

  #sleep(): void {
    this.#cancel = this.#options.clock.after(lookEveryMs, () => {
      this.#look();
      this.#sleep();
    });
  }

  #look(): void {
    const { clock, logger, delayMsMax } = this.#options;
    const delayMs = Math.round(this.#delay.max / 1e6) - resolutionMs;
    const ended = this.#ended;
    this.#ended = new Set();
    this.#delay.reset();
    const usedMs = cpuMs() - this.#cpuMs;
    this.#cpuMs += usedMs;
    const now = clock.monotonic();
    if (delayMs <= delayMsMax || now - this.#warnedAt < warnEveryMs) return;
    this.#warnedAt = now;
    for (const consumer of this.#consumers)
      for (const run of consumer.underWay) if (now - run.startedAt >= delayMsMax) ended.add(nameOf(run));
    const handlers = [...ended].slice(0, namesMax);
    const who = handlers.length === 0 ? "no handler was running" : `running were: ${handlers.join(", ")}`;
    // Whoever computes uses the processor.
    const why =
      usedMs < delayMs * busyMin
        ? "It did not compute meanwhile: it was stopped (SIGSTOP, a debugger), its machine slept or was too busy, or it waited in a synchronous call"
        : "Run a handler that computes for long with isolate";
    logger.warn(
      { delayMs, usedMs: Math.round(usedMs), handlers },
      `the event loop stood still for ${delayMs} ms, and with it everything in this process; ${who}. ${why}`,
    );
  }
}

/** Time on processors, of all threads of this process. */
function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000;
}

function nameOf({ claim, record }: Run): string {
  const consumer = claim.type === "record" || claim.type === "lane-entry" ? claim.position.consumer : "";
  return `${consumer} (${record.type})`;
}
