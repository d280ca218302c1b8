import type { Received } from "../contract/contract.js";
import type { Context, Handler } from "./handler.js";

/**
 * Handles many events in one unit of work. They are in order within a key; keys come in any order. Like a handler, it may
 * run more than once, and what it does is committed once.
 *
 * @throws {Failure} wrapped in {@link BatchRefused} when one event is to blame: that one runs alone then, as handlers do.
 */
export type BatchHandler = (events: readonly Received<string, unknown>[], ctx: Context<string>) => Promise<void>;

/** One event of a batch cannot be handled; the others may be. */
export class BatchRefused extends Error {
  constructor(
    readonly at: number,
    cause: unknown,
  ) {
    super(`event ${at} of the batch failed`, { cause });
  }
}

/** The same for one event. */
export function handlerOf(batch: BatchHandler): Handler {
  return async (event, ctx) => {
    try {
      await batch([event], ctx);
    } catch (error) {
      throw error instanceof BatchRefused ? error.cause : error;
    }
  };
}
