import { describeError, fingerprintOf, isFailure } from "../failure/failure.js";
import type { Cancel, Clock } from "../runtime/clock.js";
import type { Logger } from "../runtime/logger.js";
import { signal } from "../runtime/signals.js";
import { countsAsAttempt } from "./retry.js";
import type { Run } from "./run.js";

/** So many keys that fail alike, with no success between, are no coincidence; */
const keysMin = 5;
/** unless others have succeeded just before: then it is a burst of retries. */
const successMs = 1_000;
const probeMs = { first: 1_000, max: 30_000 };
/** Kinds of failures counted side by side; more are no single dependency. */
const kindsMax = 100;

const circuitSignal = signal("circuit");

/** What a circuit needs of its consumer. */
export interface CircuitHost {
  readonly consumer: string;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Probes, or everything, may start. */
  wake(): void;
}

/** An open circuit, as operators see it. */
export interface OpenCircuit {
  /** ms since the epoch. */
  readonly since: number;
  readonly code: string;
  readonly message: string;
}

/**
 * Tells a dead dependency from poison: when five keys fail alike and nothing has succeeded for a second, the consumer pauses.
 * Then one run at a time probes, lane after lane, after growing pauses; no attempt counts; the first success closes it.
 */
export class Circuit {
  /** A run may start. */
  permits = true;
  /** False while events run one at a time for another reason: that ends by itself, outage or not. */
  watches = true;
  open: OpenCircuit | undefined;
  readonly #host: CircuitHost;
  /** Lanes that failed since the last success, by kind of failure. */
  readonly #failing = new Map<string, Set<string>>();
  #probe: Run | undefined;
  #probes = 0;
  /** When the last run that succeeded had begun, by the clock that only grows. */
  #successAt = Number.NEGATIVE_INFINITY;
  #cancel: Cancel | undefined;

  constructor(host: CircuitHost) {
    this.#host = host;
  }

  /** A run has started. */
  started(run: Run): void {
    if (this.open === undefined) return;
    this.permits = false;
    this.#probe = run;
  }

  /** A run has given its place back. */
  ended(run: Run): void {
    if (this.#probe !== run) return;
    this.#probe = undefined;
    if (this.open !== undefined) this.#pause();
  }

  /** Notes a failed run. True when it does not count as an attempt, because the circuit is open. */
  failed(run: Run, error: unknown): boolean {
    if (!this.watches || !countsAsAttempt(error)) return false;
    if (this.open !== undefined) return true;
    const kind = fingerprintOf(error);
    let lanes = this.#failing.get(kind);
    if (lanes === undefined) {
      if (this.#failing.size >= kindsMax) this.#failing.clear();
      lanes = new Set();
      this.#failing.set(kind, lanes);
    }
    lanes.add(run.lane.key);
    if (lanes.size < keysMin || this.#host.clock.monotonic() - this.#successAt < successMs) return false;
    this.#trip(error);
    return true;
  }

  /** A handler has returned. */
  succeeded({ startedAt }: Run): void {
    if (startedAt > this.#successAt) this.#successAt = startedAt;
    if (this.#failing.size > 0) this.#failing.clear();
    if (this.open !== undefined) this.#close(this.open);
  }

  /** The consumer stops. */
  close(): void {
    this.#cancel?.();
  }

  #trip(error: unknown): void {
    const { consumer, clock, logger } = this.#host;
    const { name, message } = describeError(error);
    const code = isFailure(error) ? error.code : name;
    this.open = { since: clock.now(), code, message: message.slice(0, 1_000) };
    this.permits = false;
    this.#probes = 0;
    logger.warn(
      { consumer, code },
      `${consumer} pauses: ${keysMin} keys failed alike (${code}), so what it depends on seems to be down; it probes until a run succeeds`,
    );
    circuitSignal.publish({ consumer, state: "open", ...this.open });
    this.#pause();
  }

  #pause(): void {
    const waitMs = Math.min(probeMs.max, probeMs.first * 2 ** Math.min(this.#probes, 30));
    this.#probes += 1;
    this.#cancel?.();
    this.#cancel = this.#host.clock.after(waitMs, () => {
      this.permits = true;
      this.#host.wake();
    });
  }

  #close({ since }: OpenCircuit): void {
    const { consumer, clock, logger } = this.#host;
    this.open = undefined;
    this.permits = true;
    this.#probe = undefined;
    this.#cancel?.();
    const openMs = clock.now() - since;
    logger.info({ consumer, openMs, probes: this.#probes }, `${consumer} goes on: a run has succeeded`);
    circuitSignal.publish({ consumer, state: "closed", since, openMs });
    this.#host.wake();
  }
}
