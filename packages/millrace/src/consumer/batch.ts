import type { Received } from "../contract/contract.js";
import type { Awaitable } from "../log/log.js";
import type { Context, Handler } from "./handler.js";

/** Handles many events in one unit of work. Like a handler, it may run more than once, and what it does is committed once. */
export interface BatchHandler {
  /** Begins a unit of work with nothing in it. */
  begin(ctx: Context<string>): BatchWork;
}

/** A unit of work that takes events as they come. */
export interface BatchWork {
  /**
   * Takes some more events. They are in order within a key; keys come in any order.
   *
   * @throws {Failure} wrapped in {@link BatchRefused} when one event is to blame: that one runs alone then, as handlers do.
   */
  handle(events: readonly Received<string, unknown>[]): Awaitable<void>;
  /** What the commit will have to write so far: rows, or statements. */
  readonly weight: number;
  /** Characters of the rows that it has read. */
  readonly read: number;
  /** All events are in: adds what they have come to to the context's effects. */
  finish(): void;
}

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
      const work = batch.begin(ctx);
      await work.handle([event]);
      work.finish();
    } catch (error) {
      throw error instanceof BatchRefused ? error.cause : error;
    }
  };
}
