import { describeError, fingerprintOf, isFailure } from "../failure/failure.js";
import type { LogRecord } from "../log/log.js";
import type { Store } from "../store/store.js";
import type { Claim, DocumentRead, Effects, EntryFailure, LaneEntry, Outcome, Position, Unit } from "../store/unit.js";
import type { Pending } from "./committer.js";
import type { Decided, HandlerContext } from "./context.js";
import type { PartitionFeed } from "./feed.js";
import type { Lane } from "./lane.js";
import type { Subscription } from "./plan.js";

/** What a run tells its consumer. */
export interface RunOwner {
  settled(run: Run, outcome: Outcome): void;
}

/** A lane entry, and the position under whose epoch it runs. */
interface EntryAt {
  readonly entry: LaneEntry;
  readonly position: Position;
}

/** One event in one consumer, from dispatch to acknowledgement, over all its attempts in this process. */
export class Run implements Pending {
  readonly patient = true;
  context: HandlerContext | undefined;
  attempt: number;
  /** How many of its runs have failed so far: those that only waited are not among them. */
  failures = 0;
  /** The next one in its lane. */
  next: Run | undefined;
  /** Its place in the dispatch order of its partition. */
  sequence = 0;
  /** Set when the handler's time is up, by the monotonic clock (ms). */
  deadline = 0;
  /** Its slowness was noticed: the event is moving to a lane entry while the handler goes on. */
  moving = false;
  /** What to do once it has moved, if the handler ended meanwhile. */
  afterMove: (() => void) | undefined;
  startedAt = 0;
  /** It is not to be handled together with others. */
  solo = false;
  /** Its lease was lost: nothing that becomes of it counts any more. */
  gone = false;
  /** Takes the answer to a commit before the handler's, in place of the owner. */
  before: ((outcome: Outcome) => void) | undefined;
  /** How many processes have died while nothing but this event ran. */
  died = 0;
  /** How many older events of its key it stands for, beside its own. */
  superseded = 0;
  /** Until when it waits for its key to be quiet, and until when at most; by the monotonic clock (ms), 0 when not known. */
  quietAt = 0;
  waitAt = 0;
  /** Others need its room: it does not wait for its key to be quiet. */
  hurried = false;
  /** What it counts of the memory for fetched events. */
  bytes = 0;
  /** The partition it was taken from; undefined when it runs from an entry. */
  partition: PartitionFeed | undefined;
  reads: readonly DocumentRead[] = [];
  /** What an aggregate decided in it. */
  decided: Decided | undefined;
  unit!: Unit;
  #kept: { readonly record: LogRecord; readonly data: string } | undefined;

  constructor(
    readonly owner: RunOwner,
    readonly lane: Lane,
    readonly subscription: Subscription,
    public record: LogRecord,
    /** When the event was first met, ms since the epoch. */
    readonly since: number,
    public claim: Claim,
    attempt: number,
    readonly redrives: number,
  ) {
    this.attempt = attempt;
  }

  /** The next run of an event that waits in its lane. */
  static ofEntry(owner: RunOwner, lane: Lane, subscription: Subscription, at: EntryAt): Run {
    const { entry, position } = at;
    const { attempt, record, since, redrives, failure } = entry;
    const claim = { type: "lane-entry" as const, position, entry: entry.entry, attempt, redrives };
    const run = new Run(owner, lane, subscription, record, since, claim, attempt + 1, redrives);
    // A redrive begins at attempt 0: failures before it do not count.
    run.failures = Math.min(attempt, failure?.failures ?? attempt);
    run.bytes = entry.size;
    run.died = attempt === 0 ? 0 : (failure?.crashes ?? 0);
    return run;
  }

  /** Its claim names the event, as the log has it, for a store that is to know copies of it. */
  names({ source, id, time, appended }: LogRecord, { inbox }: Pick<Store, "inbox">): void {
    if (inbox === undefined || this.claim.type !== "record") return;
    this.claim = { ...this.claim, events: [...(this.claim.events ?? []), { source, id, time, appended }] };
  }

  /** Keeps the event as it is, where the log cannot tell it again at once: its handler may change the data it is given. */
  keep(): void {
    if (this.#kept?.record.id === this.record.id || this.record.data === undefined) return;
    this.#kept = { record: this.record, data: JSON.stringify(this.record.data) };
  }

  /** Handlers may change the data they are given; the next attempt, and a parked copy, have what the log has. */
  restore(): void {
    if (!this.begun || this.claim.type !== "record") return;
    const kept = this.#kept;
    if (kept !== undefined) this.record = { ...kept.record, data: JSON.parse(kept.data) };
    else this.record = this.partition?.reread(this.claim.offset) ?? this.record;
  }

  /** Its handler was started at least once. */
  get begun(): boolean {
    return this.deadline > 0;
  }

  /** True when it runs from a lane entry rather than from its partition. */
  get parked(): boolean {
    return this.claim.type === "lane-entry";
  }

  /** Its handler has ended: what it has read, its commit checks. */
  ran({ reads, decided }: HandlerContext): void {
    this.reads = reads;
    this.decided = decided;
  }

  /** What it does next does not depend on what it has read. */
  forgetReads(): void {
    this.reads = [];
    this.decided = undefined;
  }

  /** Its effects as what is to be committed; `lane` where it holds no entry of it. */
  commits(effects: Effects): Unit {
    const lane = this.claim.type === "record" ? this.lane.key : undefined;
    this.unit = { claim: this.claim, reads: this.reads, stream: this.decided?.stream, effects, lane };
    return this.unit;
  }

  /** Its commit is not about its effects: it makes a lane entry of the event, or changes the entry. */
  get setAside(): boolean {
    return this.unit.effects.entry !== undefined || this.unit.effects.change !== undefined;
  }

  /** The pass over the partition that it belongs to. */
  get generation(): number {
    return this.claim.type === "record" || this.claim.type === "lane-entry" ? this.claim.position.generation : 1;
  }

  settled(outcome: Outcome): void {
    const { before } = this;
    this.before = undefined;
    if (outcome.type === "committed") this.#stored();
    if (before === undefined || this.gone) this.owner.settled(this, outcome);
    else before(outcome);
  }

  /** An aggregate keeps the state that its events have come to, unless they were not to be stored. */
  #stored(): void {
    const { decided } = this;
    if (decided === undefined || this.setAside) return;
    const { records = [] } = this.unit.effects;
    if (decided.records.every((record) => records.includes(record))) decided.stored();
  }
}

/** Why a run failed or waited, as it is kept with an entry. Messages are cut: an error may quote a payload. */
export function entryFailure(error: unknown, at: number, failures: number): EntryFailure {
  const { name, message } = describeError(error);
  return {
    code: isFailure(error) ? error.code : name,
    message: message.slice(0, 1000),
    fingerprint: fingerprintOf(error),
    at,
    failures,
  };
}

/** What the signal of an acknowledged run says. */
export function handledFields(consumer: string, { record, attempt }: Run, outcome: Outcome): object {
  return { consumer, event: record.id, attempt, outcome: outcome.type };
}

/** What is logged of an entry whose type has no handler any more. */
export function noHandler(consumer: string, { entry, record: { type } }: LaneEntry): readonly [object, string] {
  const advice = "add it back, or skip the entry";
  return [
    { consumer, entry, type },
    `${consumer} has an event of ${type} waiting and no handler for it any more; ${advice}`,
  ];
}
