import type { Change } from "../aggregate/changes.js";
import type { Compared } from "../projection/compare.js";
import type { Verified } from "../projection/verify.js";
import type { SagaInstance } from "../saga/view.js";
import type { AuditRow, EventQuery } from "../store/inspect.js";
import type { Job, JobChange, JobItem, JobItemQuery } from "../store/jobs.js";
import type { Seek, SeekStep } from "../store/seek.js";
import type { FlowMap, MapWindow } from "./map.js";
import type { ProjectionView } from "./projections.js";
import type { Conditions } from "./query.js";
import type { SagaArgs, SagaReport } from "./saga-acts.js";
import type { SagaQuery, SagaSummary } from "./saga-reads.js";
import type { ConsumerStanding } from "./standing.js";
import type { DeadGroupView, EntryView, EventView, JobExportView } from "./views.js";

/** An act of an operator. `actor` and `reason` are kept in the audit record. */
export interface ActArgs {
  readonly reason: string;
  readonly actor: string;
  /** Count what would be changed, and change nothing. */
  readonly dryRun?: boolean;
}

/** Which dead letters: by number, or all that fit. */
export interface EntrySelection {
  readonly entries?: readonly number[];
  readonly consumer?: string;
  readonly fingerprint?: string;
  /** Whose events fit, as in a search. */
  readonly events?: Conditions;
  /** All dead letters there are. */
  readonly all?: boolean;
}

/** How a redrive is done as a job. */
export interface JobArgs extends ActArgs, EntrySelection {
  /** What was asked for, as people would write it. */
  readonly selection: string;
  /** Entries a second. */
  readonly rate?: number;
  /** Also what jobs have redriven in vain several times. */
  readonly force?: boolean;
}

/** A job that was made, or in a dry run what it would be about. */
export interface JobReport extends Omit<ActReport, "unchanged"> {
  readonly job?: number;
  /** Those whose data does not fit the contract of the running app: the first few, by number. They would die again. */
  readonly unfit: readonly { readonly entry: number; readonly problem: string }[];
  readonly unfitCount: number;
}

/** What an act did, or would do. */
export interface ActReport {
  readonly dryRun: boolean;
  /** How many it was about. */
  readonly matched: number;
  /** How many it changed; 0 in a dry run. */
  readonly changed: number;
  /** How many lanes (keys of a consumer) they stand in. */
  readonly keys: number;
  /** Those of the matched that were left as they were, because they changed meanwhile. */
  readonly unchanged: readonly number[];
}

/** Where an answer comes from, and of when it is. */
export interface Origin {
  /** process: the running app. file: the data directory, servers: those of the environment, where no process answers. */
  readonly from: "process" | "file" | "servers";
  /** ISO time. */
  readonly asOf: string;
}

/** What runs here, in numbers. */
export interface AppStatus extends Origin {
  readonly pid: number | undefined;
  readonly dir: string | undefined;
  readonly node: string;
  readonly consumers: Readonly<Record<string, number>>;
  readonly dead: number;
  readonly topics: readonly {
    readonly topic: string;
    readonly owner: string;
    readonly partitions: number;
    readonly records: number;
  }[];
}

/** What a consumer made of an event. `failure` says why it is parked or dead. */
export interface DeliveryView {
  readonly consumer: string;
  readonly state: "applied" | "pending" | "parked" | "dead" | "following" | "skipped";
  readonly entry?: number;
  readonly attempt?: number;
  /** The id of the event that an operator put in its place for this consumer. */
  readonly edited?: string;
  readonly failure?: { readonly code: string; readonly message: string };
}

/** An event, what became of it, and what it caused. */
export interface ExplainNode {
  readonly event: EventView;
  readonly deliveries: readonly DeliveryView[];
  readonly effects: readonly ExplainNode[];
}

/** Everything with one correlation id. */
export interface Flow {
  readonly correlationId: string;
  readonly events: number;
  /** True when there are more events than were looked at. */
  readonly truncated: boolean;
  readonly roots: readonly ExplainNode[];
}

/** One event with its deliveries. */
export interface EventDetail extends Origin {
  readonly event: EventView;
  readonly deliveries: readonly DeliveryView[];
}

/** A moment in an aggregate's life: one of the three. `time` in ms since the epoch; `before` an event's id. */
export interface AggregateMoment {
  readonly version?: number;
  readonly time?: number;
  readonly before?: string;
}

/** Which aggregate: by its topic and key. */
export interface AggregateName {
  readonly type: string;
  readonly id: string;
}

/** An aggregate's state, as JSON. `time` is when its last event was stored, ISO. */
export interface AggregateView extends AggregateName {
  readonly version: number;
  readonly time?: string;
  readonly state: unknown;
}

/** The event that last changed a value of a state. */
export interface BlameView {
  readonly change: Change;
  readonly event: {
    readonly id: string;
    readonly type: string;
    readonly sequence: number;
    readonly time: string;
    readonly actor?: string;
    readonly correlationId: string;
    readonly causationId?: string;
    readonly data: unknown;
  };
}

/** One check of a doctor. */
export interface Finding {
  readonly check: string;
  readonly ok: boolean;
  readonly detail: string;
}

/** What a publish or send stored. */
export type PublishReport =
  | {
      readonly kind: "event";
      readonly id: string;
      readonly topic: string;
      readonly partition: number;
      readonly offset: number;
    }
  | {
      readonly kind: "command";
      readonly operation: string;
      readonly correlationId: string;
      readonly state: string;
      readonly refused?: string;
      readonly detail?: string;
    };

/**
 * Everything that operators can see and do. The command line and the console have no other way.
 *
 * Each call takes one object that JSON can carry, and answers one. Acts need a running process.
 *
 * @throws {Failure} NOT_FOUND, CONFLICT, PROCESS_MISSING, OPTION_INVALID, CONTRACT_REJECTED, CONTRACT_UNKNOWN
 */
export interface Admin {
  status(): Promise<AppStatus>;
  search(
    query: EventQuery,
  ): Promise<Origin & { readonly events: readonly EventView[]; readonly next: string | undefined }>;
  event(args: { readonly id: string }): Promise<EventDetail>;
  /** Without `after`: the last `last` events, and where to go on. With it: what came since, waiting for it if need be. */
  tail(args: {
    readonly query: Omit<EventQuery, "limit" | "after">;
    readonly after?: string;
    readonly last?: number;
    readonly waitMs?: number;
  }): Promise<Origin & { readonly events: readonly EventView[]; readonly cursor: string }>;
  /** By the id of an event or an operation, or by key: then the newest flows of that key. */
  explain(args: { readonly id?: string; readonly key?: string }): Promise<Origin & { readonly flows: readonly Flow[] }>;
  /** The choreography as the running app declares it, and as its log shows it. */
  map(args: MapWindow): Promise<Origin & FlowMap>;
  /** As it is, or as it was. NOT_FOUND when it has no events. */
  aggregate(args: AggregateName & { readonly at?: AggregateMoment }): Promise<Origin & AggregateView>;
  /** What differs between two moments of it; without `to`, between one and now. */
  aggregateDiff(
    args: AggregateName & { readonly from: AggregateMoment; readonly to?: AggregateMoment },
  ): Promise<Origin & AggregateName & { readonly changes: readonly Change[] }>;
  /** Which event last set what is at a path of its state. */
  aggregateBlame(
    args: AggregateName & { readonly path: string; readonly at?: AggregateMoment },
  ): Promise<Origin & AggregateName & BlameView>;
  consumers(): Promise<Origin & { readonly consumers: readonly ConsumerStanding[] }>;
  forget(args: ActArgs & { readonly consumer: string; readonly force?: boolean }): Promise<ActReport>;
  /** Has the consumer start no more runs until it is resumed; those under way end. */
  pause(args: ActArgs & { readonly consumer: string }): Promise<ActReport>;
  resume(args: ActArgs & { readonly consumer: string }): Promise<ActReport>;
  /** Moves a consumer's positions; going back opens the next generation, and its handlers run again. */
  seek(
    args: ActArgs & Omit<Seek, "mute"> & { readonly mute?: boolean },
  ): Promise<Omit<ActReport, "unchanged"> & { readonly positions: readonly SeekStep[]; readonly job?: number }>;
  deadLetters(args: {
    readonly consumer?: string;
    readonly fingerprint?: string;
    readonly state?: "dead" | "parked";
    readonly after?: number;
    readonly limit: number;
  }): Promise<Origin & { readonly entries: readonly EntryView[] }>;
  /** Dead letters by what they died of, the largest group first. */
  deadGroups(args: {
    readonly consumer?: string;
    readonly limit: number;
  }): Promise<Origin & { readonly groups: readonly DeadGroupView[] }>;
  deadLetter(args: {
    readonly entry: number;
  }): Promise<Origin & { readonly entry: EntryView; readonly followers: number }>;
  /** Checks the data against the event's contract and stores it in place of the event's; a redrive then uses it. */
  edit(
    args: ActArgs & { readonly entry: number; readonly data: unknown },
  ): Promise<ActReport & { readonly id: string }>;
  skip(args: ActArgs & EntrySelection): Promise<ActReport>;
  redrive(args: ActArgs & EntrySelection): Promise<ActReport>;
  /** Redrives a frozen selection as a job: in steps of growing size, which pauses when too many die again. */
  redriveJob(args: JobArgs): Promise<JobReport>;
  jobs(args: { readonly limit: number }): Promise<Origin & { readonly jobs: readonly Job[] }>;
  job(
    args: { readonly job: number } & JobItemQuery,
  ): Promise<Origin & { readonly job: Job; readonly entries: readonly JobItem[] }>;
  /** What a job keeps of what it has taken away, in order, behind the `after`th. */
  jobExport(args: {
    readonly job: number;
    readonly after: number;
    readonly limit: number;
  }): Promise<Origin & { readonly rows: readonly JobExportView[] }>;
  changeJob(args: ActArgs & { readonly job: number; readonly change: JobChange }): Promise<ActReport>;
  /** Instances of sagas, those that are stuck first. */
  sagas(query: SagaQuery): Promise<Origin & { readonly sagas: readonly SagaSummary[] }>;
  saga(args: {
    readonly saga: string;
    readonly key: string;
  }): Promise<Origin & { readonly service: string; readonly instance: SagaInstance }>;
  /**
   * Has an instance go on: retries or skips the step that is stuck, takes back what was done, or ends it as it is.
   *
   * @throws {Failure} NOT_FOUND, CONFLICT when it does not fit what the instance has come to.
   */
  steerSaga(args: SagaArgs): Promise<SagaReport>;
  /** Every build of every projection that is not dropped. */
  projections(): Promise<Origin & { readonly projections: readonly ProjectionView[] }>;
  /** Makes one more build of a version, which is folded beside the live one. */
  rebuildProjection(
    args: ActArgs & { readonly projection: string; readonly force?: boolean },
  ): Promise<ActReport & { readonly consumer: string }>;
  /** Has another build answer, once it has handled all that the live one has; waits for that as long as it is told. */
  swapProjection(
    args: ActArgs & { readonly projection: string; readonly force?: boolean; readonly waitMs?: number },
  ): Promise<ActReport & { readonly consumer: string }>;
  /** Ends a build that does not answer, and removes its rows. */
  dropProjection(args: ActArgs & { readonly projection: string }): Promise<ActReport & { readonly consumer: string }>;
  /** Compares the rows of a build with a fresh fold of the log. */
  verifyProjection(args: { readonly projection: string }): Promise<Verified & { readonly consumer: string }>;
  /** Compares two builds row by row, by default the live one with the one that is built or was live before. */
  compareProjections(args: {
    readonly projection: string;
    readonly with?: string;
  }): Promise<Compared & { readonly one: string; readonly other: string }>;
  publish(args: {
    readonly type: string;
    readonly data: unknown;
    readonly id?: string;
    readonly actor: string;
  }): Promise<PublishReport>;
  /** `file` is an absolute path on the machine of the process. */
  backup(args: { readonly file: string }): Promise<{ readonly file: string; readonly bytes: number }>;
  doctor(): Promise<Origin & { readonly findings: readonly Finding[] }>;
  audit(args: { readonly limit: number }): Promise<Origin & { readonly acts: readonly AuditRow[] }>;
}
