import type { OpenEngine } from "../engine/engine.js";
import { isFailure } from "../failure/failure.js";
import type { Clock } from "../runtime/clock.js";
import type { Logger } from "../runtime/logger.js";
import type { Store } from "../store/store.js";

const waitMs = { first: 50, max: 5_000 };

/** What is asked for on behalf of no event: nobody could be told that it failed. */
const asked = [
  ...(["readRegistration", "acquire", "leases", "release", "recovered", "readPosition"] as const),
  ...(["readLaneHeads", "readEntry", "readLaneHead", "readMutes", "readPause", "readAmendments"] as const),
  ...(["readDueTimers", "nextTimer", "ensureSchedule"] as const),
] satisfies readonly (keyof Store)[];

/** Who waits for a store. */
export interface Patience {
  readonly clock: Clock;
  readonly logger: Logger;
  /** Nobody waits any more: the engine is closed. */
  readonly over: AbortSignal;
}

/**
 * An engine whose store, where it is elsewhere, is asked until it answers: while it is away, a consumer waits for it rather than
 * stop. One in this process is used as it is: what it cannot read does not become better by waiting.
 */
export function patientEngine(engine: OpenEngine, patience: Patience): OpenEngine {
  if (engine.store.inbox === undefined) return engine;
  const store = over(engine.store, (name) => (isAsked(name) ? patiently(engine.store, name, patience) : undefined));
  return over(engine, (name) => (name === "store" ? store : undefined));
}

/** As it is, but for some of its parts. */
function over<Of extends object>(of: Of, other: (name: PropertyKey) => unknown): Of {
  const others = new Map<PropertyKey, unknown>();
  return new Proxy(of, {
    get(target, name) {
      let value = others.get(name);
      if (value !== undefined) return value;
      value = other(name);
      if (value === undefined) {
        const own = Reflect.get(target, name) as unknown;
        if (typeof own !== "function") return own;
        value = own.bind(target);
      }
      others.set(name, value);
      return value;
    },
  });
}

const askedNames: ReadonlySet<PropertyKey> = new Set(asked);

function isAsked(name: PropertyKey): name is (typeof asked)[number] {
  return askedNames.has(name);
}

type Call = (...args: unknown[]) => Promise<unknown>;

function patiently(store: Store, name: (typeof asked)[number], patience: Patience): Call {
  const ask = store[name] as Call;
  return async (...args) => {
    for (let wait = waitMs.first; ; wait = Math.min(wait * 2, waitMs.max)) {
      try {
        return await ask.apply(store, args);
      } catch (error) {
        if (!isFailure(error, "STORE_UNAVAILABLE") || patience.over.aborted) throw error;
        patience.logger.warn({ code: error.code, waitMs: wait }, `${name}: ${error.message}`);
        await paused(wait, patience);
        if (patience.over.aborted) throw error;
      }
    }
  };
}

function paused(ms: number, { clock, over: signal }: Patience): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      cancel();
      signal.removeEventListener("abort", end);
      resolve();
    };
    const cancel = clock.after(ms, end);
    signal.addEventListener("abort", end);
  });
}
