import type { ConsumerStatus } from "../app/app.js";
import type { ConsumerView } from "../store/inspect.js";
import type { LaneEntry, Pause } from "../store/unit.js";
import { iso } from "./views.js";

/**
 * ok: caught up. paused: by an operator, who says why. blocked: heads of lanes fail, or what handlers depend on; or an
 * event takes long. stopped: it does not run, and says why. stalled: work, but no progress
 * within the window. slow: behind, and moving. unknown: nothing runs, so that nobody can say.
 */
export type Verdict = "ok" | "paused" | "blocked" | "stopped" | "stalled" | "slow" | "unknown";

/** How a consumer stands. Lag in time comes first; undefined is unknown, which is not 0. */
export interface ConsumerStanding {
  readonly consumer: string;
  readonly service: string;
  readonly verdict: Verdict;
  readonly reason: string;
  /** `now − append time of the next unprocessed event`. */
  readonly lagMs: number | undefined;
  readonly lagRecords: number;
  readonly parked: number;
  readonly dead: number;
  readonly following: number;
  readonly inFlight: number | undefined;
  readonly topics: readonly { readonly topic: string; readonly types: readonly string[] }[];
  readonly positions: readonly {
    readonly topic: string;
    readonly partition: number;
    readonly frontier: number;
    readonly end: number;
    readonly generation: number;
    readonly epoch: number;
    readonly crashes: number;
  }[];
}

/** Lag below this is the ordinary time between an event and its handling. */
const caughtUpMs = 5_000;
const stalledMs = 60_000;

/** What to judge by. `status` is undefined when no process runs the consumer, `head` when no lane of it fails. */
export interface StandingFacts {
  readonly view: ConsumerView;
  readonly status: ConsumerStatus | undefined;
  readonly head: LaneEntry | undefined;
  /** Whether the process that answers was started without the consumer's service. */
  readonly elsewhere?: boolean;
  /** Whether a process runs at all. */
  readonly live: boolean;
  /** Without one: what is read. */
  readonly stored?: "file" | "servers";
  readonly now: number;
}

/** Judges one consumer. */
export function standingOf(facts: StandingFacts): ConsumerStanding {
  const { view, status } = facts;
  return {
    consumer: view.consumer,
    service: view.service,
    ...judge(facts),
    lagMs: view.lagRecords > 0 && view.lagMs === 0 ? undefined : view.lagMs,
    lagRecords: view.lagRecords,
    parked: view.parked,
    dead: view.dead,
    following: view.following,
    inFlight: status?.inFlight,
    topics: view.topics,
    positions: view.positions.map(({ topic, partition, frontier, end, generation, epoch, crashes }) => ({
      topic,
      partition,
      frontier,
      end,
      generation,
      epoch,
      crashes,
    })),
  };
}

function judge(facts: StandingFacts): { verdict: Verdict; reason: string } {
  const { view, status, head, elsewhere, live, now } = facts;
  if (!live) return { verdict: "unknown", reason: unasked(facts) };
  if (status === undefined && elsewhere !== true) {
    return {
      verdict: "stopped",
      reason: "registered, but the running app does not declare it; forget it if it is gone for good",
    };
  }
  if (status?.state === "stopped") {
    return {
      verdict: "stopped",
      reason: status.failure ? `${status.failure.code}: ${status.failure.message}` : "stopped",
    };
  }
  if (view.paused !== undefined) return { verdict: "paused", reason: pausedBy(view.paused, view) };
  if (status?.circuit !== undefined) return { verdict: "blocked", reason: circuitOpen(status.circuit) };
  if (status?.blocked !== undefined) return { verdict: "blocked", reason: heldUpBy(status.blocked) };
  if (head !== undefined) return { verdict: "blocked", reason: blockedBy(view, head) };
  if (view.lagRecords === 0 || view.lagMs < caughtUpMs) return { verdict: "ok", reason: "caught up" };
  if (status === undefined)
    return {
      verdict: "unknown",
      reason: `${view.lagRecords} events behind; this process was started without ${view.service}, another one runs it or none`,
    };
  const still = now - status.progressAt;
  const here = status.partitions > 0 && !status.resting;
  if (still > stalledMs && view.lagMs > stalledMs && here)
    return { verdict: "stalled", reason: `has work and made no progress for ${Math.round(still / 1_000)} s` };
  const where = here ? "" : "; another process has the partitions they are in";
  return { verdict: "slow", reason: `${view.lagRecords} events behind${where}` };
}

function unasked({ stored }: StandingFacts): string {
  return stored === "servers"
    ? "no process answers here; numbers are those of the servers"
    : "no process runs; numbers are those of the file";
}

function circuitOpen({ since, message }: NonNullable<ConsumerStatus["circuit"]>): string {
  return `circuit open since ${new Date(since).toISOString()}: ${message}`;
}

/** One line: what holds up, of which key, since when. */
function heldUpBy({ type, event, key, since, how }: NonNullable<ConsumerStatus["blocked"]>): string {
  return `${type} ${event} of key ${key}, since ${new Date(since).toISOString()}: ${how}`;
}

function pausedBy({ actor, at, reason }: Pause, { lagRecords, parked }: ConsumerView): string {
  return `by ${actor} since ${iso(at)}: ${reason}; ${lagRecords + parked} events wait`;
}

function blockedBy(view: ConsumerView, head: LaneEntry): string {
  const what = `${head.record.type} ${head.record.id} (entry ${head.entry})`;
  const why = head.failure === undefined ? "" : `, ${head.failure.code}`;
  const waiting = view.following === 0 ? "" : `; ${view.following} events wait behind failing ones`;
  return `${head.state} ${what}${why}${waiting}`;
}
