import type { NewRecord } from "../log/log.js";

/** The message a timer publishes when it is due, in the commit that removes the timer. `name` replaces and cancels. */
export interface NewTimer {
  readonly service: string;
  readonly name: string | undefined;
  readonly due: number;
  readonly record: Omit<NewRecord, "offset">;
  /** By whose run of which event; undefined when no handler did. */
  readonly armed: Armed | undefined;
}

/** A consumer, and the event that it handled. */
export interface Armed {
  readonly consumer: string;
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
}
