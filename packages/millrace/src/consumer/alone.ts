import { Failure, fingerprintOf } from "../failure/failure.js";
import type { LogRecord } from "../log/log.js";
import type { Cancel, Clock } from "../runtime/clock.js";
import type { Logger } from "../runtime/logger.js";
import { signal } from "../runtime/signals.js";
import type { LaneHead, Store } from "../store/store.js";
import type {
  Effects,
  EntryChange,
  EntryFailure,
  LaneEntry,
  NewEntry,
  Outcome,
  Position,
  Unit,
} from "../store/unit.js";
import { commandDied } from "./command-result.js";
import type { Committer } from "./committer.js";
import { ownEntry } from "./own-entry.js";
import type { Subscription } from "./plan.js";
import type { Run } from "./run.js";

/** So many processes may die while nothing but one event runs; then it is a dead letter. */
const diedMax = 3;
/**
 * So many events run alone after crashes, at the most. More handlers are hardly under way at a time; were the culprit
 * not among them, the next crash would look at those behind.
 */
export const aloneMax = 1_280;
/** A handler that has not killed the process by then is not held against the others any longer. */
export const aloneMs = 30_000;

const parkedSignal = signal("parked");

/** What runs that are alone need of their consumer. */
export interface AloneHost {
  readonly consumer: string;
  readonly store: Store;
  readonly clock: Clock;
  readonly committer: Committer;
  entryOf(run: Run, change: EntryChange): NewEntry;
  commit(run: Run, effects: Effects): void;
  /** Whether this process may run the lane's entries: it has the lease of the lane's home. */
  mayMove(run: Run): boolean;
  /** Takes the run out of its partition's flow, now that its lane's head is its entry. False when it is not ours to run. */
  left(run: Run): boolean;
  stop(error: unknown): void;
}

/**
 * Runs one event at a time, each announced before its handler starts: a lane entry in state `running` says on disk that
 * the process will have died of it, should it die. The end of the run takes that back.
 */
export class Alone {
  /** Events run alone. */
  active = false;
  /** How many have been announced, since events began to run alone. */
  announced = 0;
  /** Whether a lane lets others go before it. */
  defers: (lane: string) => boolean = () => false;
  /** Told that an entry under suspicion is to run; false when it may run beside others. */
  suspect: (lane: string, entry: number) => boolean = () => false;
  /** Told that a handler takes so long that the others must go on beside it. */
  onSlow: () => void = () => {};
  #closed = false;
  readonly #host: AloneHost;
  readonly #ended = new Map<Run, Cancel>();

  constructor(host: AloneHost) {
    this.#host = host;
  }

  /** Writes the attempt, then calls `go`; tells the run's owner instead when it could not be written. */
  announce(run: Run, go: () => void): void {
    this.announced += 1;
    if (!run.parked && !this.#host.mayMove(run)) {
      this.#giveAway(run);
      return;
    }
    run.before = (outcome) => {
      // The entry stays as it is: a stop in order is no crash, and the next start takes the mark away.
      if (this.#closed) return;
      const begin = () => {
        this.#watch(run);
        go();
      };
      if (outcome.type === "committed") {
        if (outcome.entry === undefined || this.#nowEntry(run, outcome.entry)) begin();
      } else if (outcome.type === "already" && !run.parked)
        this.#find(run, begin).catch((error) => this.#host.stop(error));
      else run.settled(outcome);
    };
    const change: EntryChange = {
      state: "running",
      holds: true,
      attempt: run.attempt - 1,
      due: this.#host.clock.now(),
      failure: { ...died(run.record, run.died + 1, this.#host), failures: run.failures },
    };
    this.#host.commit(run, run.parked ? { change } : { entry: this.#host.entryOf(run, change) });
  }

  /** It is handed over while it runs: whoever takes it runs it alone, and this run is not held against it. */
  async withdraw(run: Run): Promise<void> {
    if (!this.#ended.has(run) || run.claim.type !== "lane-entry") return;
    this.ended(run);
    const { claim, record, attempt } = run;
    const failure = died(record, run.died, this.#host);
    const change: EntryChange = { state: "parked", holds: true, attempt: attempt - 1, due: failure.at, failure };
    const unit: Unit = { claim, reads: [], effects: { change }, lane: undefined };
    await new Promise<Outcome>((settled) => this.#host.committer.add({ unit, patient: true, settled }));
  }

  /** Its handler has ended, whatever came of it. */
  ended(run: Run): void {
    if (this.#ended.size === 0) return;
    this.#ended.get(run)?.();
    this.#ended.delete(run);
  }

  /** Nothing is to start any more. */
  close(): void {
    this.#closed = true;
    for (const cancel of this.#ended.values()) cancel();
    this.#ended.clear();
  }

  /** Another process runs the entries of its lane: it is to run this one, and to be charged should it die of it. */
  #giveAway(run: Run): void {
    const failure = died(run.record, run.died, this.#host);
    const due = failure.at;
    const change: EntryChange = { state: "parked", holds: true, attempt: run.attempt - 1, due, failure };
    this.#host.commit(run, { entry: this.#host.entryOf(run, change) });
  }

  #nowEntry(run: Run, entry: number): boolean {
    run.lane.head = { lane: run.lane.key, entry, state: "parked", due: 0, holds: true };
    return this.#host.left(run);
  }

  /** It was claimed before: the answer was lost, and it has an entry; or there is nothing left to do. */
  async #find(run: Run, begin: () => void): Promise<void> {
    const own = await ownEntry(run, this.#host);
    if (own === undefined) run.settled({ type: "already" });
    else if (own.state !== "running") run.settled({ type: "held" });
    else if (this.#nowEntry(run, own.entry)) begin();
  }

  /** After a while the others go on: from then on a crash is not this event's. */
  #watch(run: Run): void {
    const cancel = this.#host.clock.after(aloneMs, () => {
      this.#ended.delete(run);
      if (run.claim.type !== "lane-entry") return;
      const due = this.#host.clock.now();
      const change: EntryChange = { state: "running", holds: true, attempt: run.attempt - 1, due, failure: undefined };
      const unit: Unit = { claim: run.claim, reads: [], effects: { change }, lane: undefined };
      this.#host.committer.add({ unit, patient: true, settled: () => this.onSlow() });
    });
    this.#ended.set(run, cancel);
  }
}

interface DiedIn {
  readonly consumer: string;
  readonly clock: Clock;
}

function died(record: LogRecord, crashes: number, { consumer, clock }: DiedIn): EntryFailure {
  const what =
    crashes === 0
      ? `processes died with this ${record.type} under way, among others; it runs alone now, to see whether it was the cause`
      : `the process died while it handled this ${record.type}, and nothing else (${crashes} of ${diedMax} times); the handler exits, aborts, crashes native code or exhausts the memory`;
  const failure = new Failure("PROCESS_DIED", `${consumer}: ${what}`);
  const fingerprint = fingerprintOf(failure);
  return { code: failure.code, message: failure.message, fingerprint, at: clock.now(), crashes };
}

/** Whether processes have died with this entry under way. One that an operator redrives begins anew. */
export function isSuspect({ attempt, failure }: LaneEntry): boolean {
  return failure?.crashes !== undefined && (attempt > 0 || failure.crashes === 0);
}

/** What charging needs. */
export interface ChargeHost {
  readonly consumer: string;
  readonly store: Store;
  readonly clock: Clock;
  readonly logger: Logger;
  /** The position under whose epoch the lanes of a home run, if this process has it. */
  homeOf(home: number): Position | undefined;
  subscription(type: string): Subscription | undefined;
}

/**
 * At the start: an event that was running alone when the process died is charged with it; one that was running alone
 * when the process stopped in order is not.
 */
export async function chargeCrashes(host: ChargeHost, heads: readonly LaneHead[]): Promise<void> {
  for (const head of heads) {
    if (head.state !== "running") continue;
    const entry = await host.store.readEntry(head.entry);
    if (entry?.failure?.crashes === undefined) continue;
    const position = host.homeOf(entry.home);
    if (position === undefined) continue;
    const [outcome] = await host.store.commit([chargeOf(host, entry, position)], []);
    if (outcome?.type === "failed") throw outcome.error;
  }
}

function chargeOf(host: ChargeHost, entry: LaneEntry, position: Position): Unit {
  const { consumer, clock, logger } = host;
  const { attempt, redrives } = entry;
  const claim: Unit["claim"] = { type: "lane-entry", position, entry: entry.entry, attempt, redrives };
  const counted = entry.failure?.crashes ?? 0;
  const crashes = position.crashes > 0 ? counted : counted - 1;
  const subscription = host.subscription(entry.record.type);
  const dead = crashes >= diedMax;
  const change: EntryChange = {
    state: dead ? "dead" : "parked",
    holds: !(dead && subscription?.skipPoison === true),
    attempt: position.crashes > 0 ? attempt + 1 : attempt,
    due: clock.now(),
    failure: crashes === 0 ? undefined : died(entry.record, crashes, host),
  };
  const effects: Effects = { change };
  if (dead && subscription?.contract.kind === "command") {
    const { generation } = position;
    const { record } = entry;
    const death = { ...died(record, crashes, host), consumer, generation, redrives, now: clock.now() };
    Object.assign(effects, commandDied(record, death));
  }
  if (position.crashes > 0) {
    logger.error(
      { consumer, event: entry.record.id, type: entry.record.type, crashes },
      `the process died while ${consumer} handled ${entry.record.type} ${entry.record.id} alone, ${crashes} of ${diedMax} times${dead ? "; it is a dead letter now" : ""}`,
    );
    parkedSignal.publish({ consumer, event: entry.record.id, ...change });
  }
  return { claim, reads: [], effects, lane: undefined };
}
