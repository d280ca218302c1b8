import type { Awaitable } from "../log/log.js";
import type { Build, BuildName, Swap } from "./builds.js";
import type { JobChange, NewJob } from "./jobs.js";
import type { Seek } from "./seek.js";

/** Who does it and why: kept in the audit record, in the same commit as the act. */
export interface Act {
  readonly actor: string;
  readonly reason: string;
  readonly at: number;
}

/** What an operator puts in the place of a dead letter's event. */
export interface Edit {
  readonly entry: number;
  /** The new event's. */
  readonly id: string;
  /** JSON text, checked against this version of its contract. */
  readonly data: string;
  readonly version: number;
}

/** What an act did. Lanes whose head changed are to be looked at again by their consumer. */
export interface ActOutcome {
  readonly changed: number;
  readonly lanes: readonly { readonly consumer: string; readonly lane: string }[];
}

/** What an act on many dead letters did, in one commit. */
export interface EntriesOutcome extends ActOutcome {
  /** Those that were passed over, because they are gone or not dead any more. */
  readonly unchanged: readonly number[];
}

/** Operators' acts. Each is one commit, claimed by the row it changes, so that a repeated act changes nothing. */
export interface Operate {
  /** Stores the dead letter's amendment; it stays dead until redriven. */
  edit(edit: Edit, act: Act): Awaitable<ActOutcome>;
  /** Amends the events of dead letters away for their consumer and lets their followers go on. */
  skip(entries: readonly number[], act: Act): Awaitable<EntriesOutcome>;
  /** Gives dead letters another run, with a fresh count of attempts; followers run after them, in order. */
  redrive(entries: readonly number[], act: Act): Awaitable<EntriesOutcome>;
  /** Removes a consumer's registration, positions, lanes and amendments; what it made stays. */
  forget(consumer: string, act: Act): Awaitable<ActOutcome>;
  /**
   * Has a consumer start no more runs, in whatever process, until it is resumed.
   *
   * @throws {Failure} NOT_FOUND when no such consumer is registered.
   */
  pause(consumer: string, act: Act): Awaitable<ActOutcome>;
  /** Lets a paused consumer go on. */
  resume(consumer: string, act: Act): Awaitable<ActOutcome>;
  /**
   * Moves positions, fencing what is under way. Going back opens the next generation: what waits in lanes from there on
   * is dropped and read again, timers that its events have armed are taken back, amendments stay. What is gone by that is
   * kept with a job of its own.
   *
   * @throws {Failure} NOT_FOUND, OPTION_INVALID when there is no such place, CONFLICT when it would be muted and events
   * from there on wait in lanes: what they publish would never be.
   */
  seek(seek: Seek, act: Act): Awaitable<ActOutcome & { readonly job?: number }>;
  /**
   * Makes one more build of a view's version, to be folded beside the live one.
   *
   * @throws {Failure} NOT_FOUND when that version was never built; CONFLICT when one is being built.
   */
  rebuild(
    view: Omit<BuildName, "build"> & { readonly service: string },
    act: Act,
  ): Awaitable<ActOutcome & { readonly build: number }>;
  /**
   * Has another build answer, in one commit that checks that it has handled in every partition what the live one has.
   *
   * @throws {Failure} NOT_FOUND when there is no such build; CONFLICT when it is behind, or events wait in its lanes.
   */
  swap(swap: Swap, act: Act): Awaitable<ActOutcome>;
  /**
   * Ends a build that does not answer: its consumer is forgotten, its rows are removed piece by piece.
   *
   * @throws {Failure} NOT_FOUND when there is no such build; CONFLICT when it is the live one.
   */
  drop(build: Pick<Build, "service" | "name" | "version" | "build">, act: Act): Awaitable<ActOutcome>;
  /** Stores a job; its items are taken as they are now. They start with the next `advanceJobs`. */
  createJob(job: NewJob, act: Act): Awaitable<ActOutcome & { readonly job: number }>;
  /**
   * Changes a job that is not over; one that is as asked for is left alone.
   *
   * @throws {Failure} NOT_FOUND when there is no such job, CONFLICT when it is over.
   */
  changeJob(job: number, change: JobChange, act: Act): Awaitable<ActOutcome>;
  /**
   * Notes what came of the items under way and starts those whose turn it is. What is stored decides, so that any number
   * of processes may call it.
   */
  advanceJobs(now: number): Awaitable<ActOutcome>;
}
