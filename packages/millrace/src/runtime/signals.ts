import { channel, subscribe as listen, unsubscribe } from "node:diagnostics_channel";
import type { Cancel } from "./clock.js";
import { type Logger, pinoLogger } from "./logger.js";

/** One kind of thing that happens, told to whoever listens in this thread. Costs a few nanoseconds when nobody does. */
export interface Signal {
  /** Whether anybody listens; ask before building costly fields. */
  readonly active: boolean;
  publish(fields: object): void;
}

const channelName = (name: string): string => `millrace:${name}`;

/** The signal `millrace:<name>` of `node:diagnostics_channel`. Make it once, at the top of a file. */
export function signal(name: string): Signal {
  // Channels are held weakly by Node: this closure keeps ours alive.
  const own = channel(channelName(name));
  return {
    get active() {
      return own.hasSubscribers;
    },
    publish(fields) {
      if (own.hasSubscribers) own.publish(fields);
    },
  };
}

/**
 * Listens to a signal. A listener that throws, or whose promise rejects, is logged and goes on being called: Node itself
 * would end the process.
 *
 * @param logger where its errors go: the 1st, 2nd, 4th, 8th … of them, because a signal may come 50,000 times a second
 */
export function subscribe(name: string, listener: (fields: unknown) => unknown, logger: Logger = pinoLogger()): Cancel {
  let failures = 0;
  const report = (error: unknown): void => {
    failures += 1;
    if ((failures & (failures - 1)) === 0)
      logger.error({ err: error, signal: name, failures }, "a listener of a signal failed");
  };
  const guarded = (fields: unknown): void => {
    try {
      const result = listener(fields);
      if (result instanceof Promise) result.catch(report);
    } catch (error) {
      report(error);
    }
  };
  listen(channelName(name), guarded);
  return () => void unsubscribe(channelName(name), guarded);
}
