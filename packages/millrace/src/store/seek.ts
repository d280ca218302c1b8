/** Where a consumer is to go on. Times are ms since the epoch: the first event that reached the log then or later. */
export type SeekTarget =
  | { readonly type: "beginning" | "end" }
  | { readonly type: "offset"; readonly offset: number }
  | { readonly type: "time"; readonly at: number };

/** A move of a consumer's positions. */
export interface Seek {
  readonly consumer: string;
  readonly to: SeekTarget;
  /** In this topic alone. */
  readonly topic?: string;
  /** In this partition alone. */
  readonly partition?: number;
  /** What is handled again changes documents and tables, and publishes, sends and schedules nothing. */
  readonly mute: boolean;
}

/** What a move does to one position. */
export interface SeekStep {
  readonly topic: string;
  readonly partition: number;
  readonly from: number;
  readonly to: number;
  /** Events that are handled again. */
  readonly again: number;
  /** Events that are passed over. */
  readonly skipped: number;
  /** Events that wait in lanes, dead ones too, and are read from the log again. */
  readonly waiting: number;
  /** Timers that they have armed and that are not due yet, which are taken back. */
  readonly timers: number;
  /** False when there are more than were counted. */
  readonly exact: boolean;
}
