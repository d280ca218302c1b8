import type { Change } from "../engine/engine.js";
import { Failure, isFailure } from "../failure/failure.js";
import type { NewRecord } from "../log/log.js";
import type { Clock } from "../runtime/clock.js";
import { uniqueTaken } from "../store/unique-taken.js";
import type { DocumentWrite, Effects, OperationResult, Outcome, Progress, SqlStatement, Unit } from "../store/unit.js";
import type { Claims } from "./claims.js";
import type { DocumentTables } from "./documents.js";
import { fileFailure, isFull, storeFailure } from "./errors.js";
import type { LaneTables } from "./lane-tables.js";
import type { LogAppender } from "./log-appender.js";
import type { PositionTables } from "./position-tables.js";
import type { Database, Statement } from "./sqlite.js";
import type { StreamTables } from "./streams.js";

/** The tables a commit writes. */
export interface CommitParts {
  readonly database: Database;
  readonly appender: LogAppender;
  readonly documents: DocumentTables;
  readonly streams: StreamTables;
  readonly positions: PositionTables;
  readonly lanes: LaneTables;
  readonly claims: Claims;
  readonly clock: Clock;
}

/** Told after a commit is on disk. */
export interface CommitListener {
  appended(topics: readonly string[]): void;
  handled(results: readonly OperationResult[]): void;
  /** Lane entries or timers changed. */
  changed(change: Change): void;
  /** Roughly how much the commit added to the write-ahead log. */
  wrote(bytes: number): void;
}

/** Pages that any group dirties, and what a document or entry adds to them on the average: an estimate is enough. */
const walBytes = { group: 64 * 1024, unit: 512 };

const preparedMax = 500;
const reload: Outcome = { type: "reload" };
const held: Outcome = { type: "held" };
const already: Outcome = { type: "already" };

/** One unit's data cannot be stored; the others of its group can. */
class UnitError extends Error {
  constructor(
    readonly index: number,
    readonly failure: Failure,
  ) {
    super(failure.message, { cause: failure });
  }
}

/**
 * Group commit: one transaction for many units. Fence, claim, check and apply, in group order; a unit that is refused
 * leaves nothing behind. When one unit's data makes the transaction fail, the group runs again without it.
 */
export class GroupCommit {
  readonly #parts: CommitParts;
  readonly #epoch: number;
  readonly #fence: Statement;
  readonly #texts = new Map<string, Statement>();
  commits: number;
  #now: number;
  #results: OperationResult[] = [];
  #timers = false;
  /** The group under way was sent before, and its answer lost: what has no other claim is looked up in the log. */
  #resent = false;

  constructor(
    parts: CommitParts,
    owner: { readonly epoch: number; readonly commits: number; readonly appended: number },
  ) {
    this.#parts = parts;
    this.#epoch = owner.epoch;
    this.commits = owner.commits;
    this.#now = owner.appended;
    this.#fence = parts.database.prepare("UPDATE mr_engine SET commits = ? WHERE one = 1 AND epoch = ?");
  }

  commit(
    units: readonly Unit[],
    progress: readonly Progress[],
    listener: CommitListener,
    resent = false,
  ): readonly Outcome[] {
    this.#resent = resent;
    const failed = new Map<number, Outcome>();
    for (;;) {
      let outcomes: readonly Outcome[];
      try {
        outcomes = this.transact(() => this.#run(units, progress, failed));
      } catch (error) {
        this.#undo();
        if (!(error instanceof UnitError)) throw fileFailure(error);
        failed.set(error.index, { type: "failed", error: error.failure });
        continue;
      }
      this.#keep(units.length, listener);
      return outcomes;
    }
  }

  /** Runs `work` in one transaction that holds only while this process owns the file. */
  transact<T>(work: () => T): T {
    const { database } = this.#parts;
    database.exec("BEGIN IMMEDIATE");
    try {
      if (Number(this.#fence.run(this.commits + 1, this.#epoch).changes) !== 1)
        throw new Failure("FENCED", "another process has taken this file over; stop this one");
      const result = work();
      database.exec("COMMIT");
      this.commits += 1;
      return result;
    } catch (error) {
      // SQLite may have undone the transaction by itself.
      if (database.isTransaction) database.exec("ROLLBACK");
      throw error;
    }
  }

  #run(units: readonly Unit[], progress: readonly Progress[], failed: ReadonlyMap<number, Outcome>): Outcome[] {
    const { appender, documents, positions } = this.#parts;
    this.moment();
    const committed: Outcome = { type: "committed", commit: this.commits + 1 };
    const outcomes = new Array<Outcome>(units.length);
    for (let index = 0; index < units.length; index += 1)
      outcomes[index] = failed.get(index) ?? this.#unit(units[index] as Unit, index, committed);
    for (const passed of progress) positions.pass(passed);
    appender.write(this.#now);
    documents.finish(this.commits + 1);
    positions.write();
    return outcomes;
  }

  /** Append times never fall, whatever the clock does: readers find them by bisection. */
  moment(): number {
    this.#now = Math.max(this.#now, this.#parts.clock.now());
    return this.#now;
  }

  #unit(unit: Unit, index: number, committed: Outcome): Outcome {
    try {
      return this.#checked(unit, committed);
    } catch (error) {
      throw this.#blame(error, index, unit.effects);
    }
  }

  #checked(unit: Unit, committed: Outcome): Outcome {
    const { claims, lanes } = this.#parts;
    const { claim, effects } = unit;
    // Checks come before the claim is taken: a refused unit must be able to try again.
    const refused = claims.taken(claim, this.#parts.clock);
    if (refused !== undefined) return refused;
    if (this.#resent && claim.type === "publish" && this.#parts.appender.holds(effects.records ?? [])) return already;
    if (unit.lane !== undefined && claim.type === "record" && effects.entry?.state !== "following") {
      if (lanes.isHeld(claim.position.consumer, unit.lane)) return held;
    }
    if (this.#stale(unit)) return reload;
    const conflict = this.#conflict(effects.documents);
    if (conflict !== undefined) return conflict;
    return this.#apply(unit, committed);
  }

  #stale({ reads, stream, effects }: Unit): boolean {
    const { documents, streams, lanes } = this.#parts;
    if (stream !== undefined && streams.stale(stream)) return true;
    for (const read of reads) if (documents.stale(read)) return true;
    if (effects.entry !== undefined && lanes.isOutdated(effects.entry)) return true;
    return effects.documents?.some((write) => documents.staged(write)) ?? false;
  }

  #conflict(writes: readonly DocumentWrite[] | undefined): Outcome | undefined {
    if (writes === undefined) return undefined;
    for (const write of writes) {
      if (write.indexed.length === 0) continue;
      const other = this.#parts.documents.conflict(write);
      if (other === undefined || writes.some((also) => also.type === write.type && also.id === other.id)) continue;
      return { type: "failed", error: uniqueTaken(write, other.field) };
    }
    return undefined;
  }

  #apply(unit: Unit, committed: Outcome): Outcome {
    const { effects, claim, stream } = unit;
    const { appender, documents, lanes, claims, streams } = this.#parts;
    claims.take(claim, this.#now);
    if (effects.records !== undefined) for (const record of effects.records) appender.add(record, stream);
    if (stream !== undefined && effects.records !== undefined) streams.append(stream, effects.records);
    if (effects.snapshot !== undefined) streams.replaceSnapshot(effects.snapshot);
    if (effects.documents !== undefined) documents.write(effects.documents, this.commits + 1);
    if (effects.statements !== undefined) this.#statements(effects);
    if (effects.timers !== undefined || effects.cancels !== undefined) this.#timers = true;
    if (effects.cancels !== undefined) for (const cancel of effects.cancels) claims.cancel(cancel.service, cancel.name);
    if (effects.timers !== undefined) for (const timer of effects.timers) claims.arm(timer);
    if (effects.audit !== undefined) for (const note of effects.audit) claims.note(note, this.#now);
    if (effects.result !== undefined && claims.finish(effects.result, this.#now)) {
      this.#results.push(effects.result);
      if (effects.records !== undefined) claims.published(effects.result.operation, effects.records);
    }
    if (claim.type === "lane-entry") lanes.advance(claim.entry, effects.change, this.#now);
    if (effects.entry !== undefined) return { ...committed, entry: lanes.insert(effects.entry, this.#now) } as Outcome;
    return committed;
  }

  /** A read model's few statements come again with every event. */
  #prepared(text: string): Statement {
    let statement = this.#texts.get(text);
    if (statement === undefined) {
      statement = this.#parts.database.prepare(text);
      if (this.#texts.size >= preparedMax) this.#texts.clear();
      this.#texts.set(text, statement);
    }
    return statement;
  }

  #statements(effects: Effects): void {
    for (const statement of effects.statements ?? []) {
      const changes = this.#changes(statement);
      if (statement.rows !== undefined && changes !== statement.rows)
        throw new Failure(
          "STATEMENT_FAILED",
          `changed ${changes} rows instead of ${statement.rows}: ${statement.text}`,
        );
    }
  }

  /**
   * A user's statement may be full by its own doing, like a table that has no row number left. It is its unit's own error
   * then: the group runs again without that unit, and if the disk is full indeed, nothing of the group is stored.
   */
  #changes({ text, params }: SqlStatement): number {
    try {
      return Number(this.#prepared(text).run(...params).changes);
    } catch (error) {
      if (!isFull(error)) throw error;
      throw new Failure("STATEMENT_FAILED", `SQLite has no space for it, though the rest of its commit fits: ${text}`, {
        cause: error,
      });
    }
  }

  /** An error of the whole store stays as it is; anything else is this unit's own. */
  #blame(error: unknown, index: number, effects: Effects): unknown {
    const failure = storeFailure(error);
    if (isFailure(error)) return new UnitError(index, error);
    if (failure.code !== "STATEMENT_FAILED") return failure;
    const write = effects.documents?.find((document) => document.indexed.some((entry) => entry.unique));
    return new UnitError(
      index,
      write !== undefined && /UNIQUE/.test(failure.message) && effects.statements === undefined
        ? uniqueTaken(write)
        : failure,
    );
  }

  #keep(units: number, listener: CommitListener): void {
    const { appender, documents, streams, positions, lanes } = this.#parts;
    documents.keep();
    streams.keep();
    positions.keep();
    const changed = lanes.keep();
    if (changed.length > 0 || this.#timers) listener.changed({ lanes: changed, timers: this.#timers });
    this.#timers = false;
    listener.wrote(walBytes.group + walBytes.unit * units + appender.bytes);
    const topics = appender.keep();
    if (topics.length > 0) listener.appended(topics);
    if (this.#results.length > 0) {
      const results = this.#results;
      this.#results = [];
      listener.handled(results);
    }
  }

  #undo(): void {
    const { appender, documents, streams, positions, lanes } = this.#parts;
    appender.undo();
    documents.undo();
    streams.undo();
    positions.undo();
    lanes.undo();
    this.#results = [];
    this.#timers = false;
  }

  /** Appends what another program wrote, outside any unit: its ids are its own, and its text may be no JSON. */
  append(records: readonly NewRecord[], listener: CommitListener): void {
    const foreign = records.map((record) => {
      const data = typeof record.data === "string" ? Buffer.from(record.data) : record.data;
      return { ...record, named: true, data };
    });
    const unit: Unit = { claim: { type: "publish" }, reads: [], effects: { records: foreign }, lane: undefined };
    for (const outcome of this.commit([unit], [], listener)) if (outcome.type === "failed") throw outcome.error;
    for (const [index, { offset }] of foreign.entries()) (records[index] as NewRecord).offset = offset;
  }
}
