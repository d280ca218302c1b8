import type { DueTimer } from "./store.js";
import type { LaneEntry } from "./unit.js";

/** running: items start as fast as rate and ladder let them. paused: by an operator, or because too many fail again. */
export type JobState = "running" | "paused" | "done" | "cancelled";

/** What can have become of a job's item; see {@link JobItemState}. */
export const jobItemStates = ["pending", "redriven", "succeeded", "died", "gone", "skipped"] as const;

/**
 * pending: its turn has not come. redriven: it has another run. succeeded, died: what came of it. gone: it was skipped,
 * redriven or forgotten by somebody else. skipped: this job leaves it alone, and says why.
 */
export type JobItemState = (typeof jobItemStates)[number];

/** A selection of dead letters to be redriven, as it was at one moment. */
export interface NewJob {
  readonly entries: readonly number[];
  /** What was asked for, for people. */
  readonly selection: string;
  /** Entries a second; as fast as they are handled without. */
  readonly rate?: number;
  /** Also what jobs have redriven in vain several times. */
  readonly force: boolean;
}

/**
 * Bulk work of an operator, which goes on until it is done, whoever started it. A seek is done at once; its job keeps what
 * it has taken away. Times are ms since the epoch.
 */
export interface Job {
  readonly job: number;
  readonly kind: "redrive" | "seek";
  readonly state: JobState;
  /** Why it is paused. */
  readonly note?: string;
  readonly selection: string;
  readonly force: boolean;
  readonly rate?: number;
  readonly reason: string;
  readonly actor: string;
  readonly created: number;
  readonly finished?: number;
  /** The step of the ladder that it is on, from 1. */
  readonly step: number;
  readonly steps: number;
  readonly items: Readonly<Record<JobItemState, number>>;
  /** How much it has taken away and kept; see {@link JobExport}. */
  readonly exported: number;
}

/** What an act has taken away: an event that waited in a lane, or a timer. */
export type JobExport = { readonly seq: number } & (
  | { readonly kind: "entry"; readonly entry: LaneEntry }
  | { readonly kind: "timer"; readonly timer: DueTimer }
);

/** One dead letter of a job. */
export interface JobItem {
  readonly entry: number;
  readonly consumer: string;
  readonly lane: string;
  readonly step: number;
  readonly state: JobItemState;
  readonly detail?: string;
}

/** Which items of a job. */
export interface JobItemQuery {
  readonly state?: JobItemState;
  readonly limit: number;
}

/** What an operator does to a job. */
export type JobChange =
  | { readonly type: "pause" | "resume" | "cancel" }
  /** Undefined: as fast as they are handled. */
  | { readonly type: "rate"; readonly rate: number | undefined };

/** What the jobs of a file wait for. */
export interface JobsDue {
  /** When one has something to start or to note, perhaps past (ms since 1970); infinite while only outcomes are waited for. */
  readonly at: number;
  /** Whether entries run whose outcome will be noted. */
  readonly underWay: boolean;
}
