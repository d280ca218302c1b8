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

/**
 * An engine whose store, where it is elsewhere, is asked until it answers: while it is away, a consumer waits for it rather than
 * stop. One in this process is used as it is: what it cannot read does not become better by waiting.
 */
export function patientEngine(engine: OpenEngine, clock: Clock, logger: Logger): OpenEngine {
  if (engine.store.inbox === undefined) return engine;
  const store = over(engine.store, (name) =>
    isAsked(name) ? patiently(engine.store, name, { clock, logger }) : undefined,
  );
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

interface Waiting {
  readonly clock: Clock;
  readonly logger: Logger;
}

function patiently(store: Store, name: (typeof asked)[number], { clock, logger }: Waiting): Call {
  const ask = store[name] as Call;
  return async (...args) => {
    for (let wait = waitMs.first; ; wait = Math.min(wait * 2, waitMs.max)) {
      try {
        return await ask.apply(store, args);
      } catch (error) {
        if (!isFailure(error, "STORE_UNAVAILABLE")) throw error;
        logger.warn({ code: error.code, waitMs: wait }, `${name}: ${error.message}`);
        await new Promise<void>((resolve) => clock.after(wait, resolve));
      }
    }
  };
}
