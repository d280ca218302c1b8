import type { Change, EngineContext } from "../engine/engine.js";
import type { LogAdmin, LogWriter, NewRecord, TopicShape } from "../log/log.js";
import { uuidv7 } from "../runtime/ids.js";
import { buildConsumer } from "../store/builds.js";
import type { ActOutcome } from "../store/operate.js";
import type { OperationResult } from "../store/unit.js";
import { sweepDropped } from "./builds.js";
import { type Checkpointer, createCheckpointer } from "./checkpoint.js";
import { Claims } from "./claims.js";
import { type CommitListener, GroupCommit } from "./commit.js";
import { DocumentTables } from "./documents.js";
import { translated } from "./errors.js";
import type { prepareFile } from "./format.js";
import { LaneTables } from "./lane-tables.js";
import { Leases, leaseMs } from "./leases.js";
import { LogAppender } from "./log-appender.js";
import { type Appending, createOperate, type OperateNow } from "./operate.js";
import { isRunning } from "./owner.js";
import { PositionTables } from "./position-tables.js";
import { TableReads } from "./reads.js";
import { type Sweep, TrimPace, trim } from "./retention.js";
import type { Database } from "./sqlite.js";
import { StreamTables } from "./streams.js";
import { Topics } from "./topics.js";
import { TableWrites } from "./writes.js";

/** What the others on the file are told after a commit. */
export interface Bell {
  readonly topics?: readonly string[];
  readonly results?: readonly OperationResult[];
  readonly change?: Change;
}

/** What the owner does for one member: everything that writes. */
export interface Door {
  readonly writes: TableWrites;
  readonly log: Pick<LogAdmin, "ensureTopic"> & LogWriter;
  readonly operate: OperateNow;
  /** The same group again, after its answer was lost. */
  recommit: TableWrites["commit"];
}

export interface CoreParts {
  readonly file: string;
  readonly database: Database;
  /** A connection that cannot write; in memory, the only one. */
  readonly reader: Database;
  readonly prepared: ReturnType<typeof prepareFile>;
  readonly context: EngineContext;
}

/** The owner's side of the file: the one connection that writes, and what it remembers of the tables. */
export class Core {
  readonly topics: Topics;
  readonly reads: TableReads;
  readonly leases: Leases;
  readonly #parts: CoreParts;
  readonly #documents: DocumentTables;
  readonly #positions: PositionTables;
  readonly #lanes: LaneTables;
  readonly #appender: LogAppender;
  readonly #commit: GroupCommit;
  readonly #checkpointer: Checkpointer | undefined;
  readonly #heard = new Set<(bell: Bell, origin: string) => void>();
  #cancelTrim = () => {};
  #cancelUnheard = () => {};
  #sweep: Sweep | undefined;
  readonly #trimPace = new TrimPace();

  constructor(parts: CoreParts) {
    const { file, database, reader, prepared, context } = parts;
    const { clock, logger } = context;
    this.#parts = parts;
    this.topics = new Topics(database);
    this.leases = new Leases(clock);
    const documents = new DocumentTables(database);
    const positions = new PositionTables(database);
    const lanes = new LaneTables(database);
    const claims = new Claims(database, positions, lanes);
    const appender = new LogAppender(database, this.topics);
    const streams = new StreamTables(database, (name) => this.topics.byName.get(name)?.id);
    positions.adopt();
    this.#documents = documents;
    this.#positions = positions;
    this.#lanes = lanes;
    this.#appender = appender;
    this.#commit = new GroupCommit(
      { database, appender, documents, streams, positions, lanes, claims, clock },
      { ...prepared, appended: this.topics.lastAppended },
    );
    this.reads = new TableReads({ database, reader, documents, positions, lanes, claims, topics: this.topics });
    this.#checkpointer = file === ":memory:" ? undefined : createCheckpointer({ file, database, logger });
    this.#trimLater(TrimPace.everyMs);
  }

  /** Calls `heard` after each commit, with the member it was made for. */
  onBell(heard: (bell: Bell, origin: string) => void): () => void {
    this.#heard.add(heard);
    return () => this.#heard.delete(heard);
  }

  /** Tells all but `origin` what is to be looked at again. */
  ring(bell: Bell, origin: string): void {
    for (const heard of this.#heard) heard(bell, origin);
  }

  /** The writing half of the ports, for one member. */
  door(member: string): Door {
    const { database, context } = this.#parts;
    const { clock } = context;
    const leasesChanged = () => this.ring({ change: { leases: true } }, member);
    const listener: CommitListener = {
      appended: (topics) => this.ring({ topics }, member),
      handled: (results) => this.ring({ results }, member),
      changed: (change) => this.ring({ change }, member),
      wrote: (bytes) => this.#checkpointer?.committed(bytes),
    };
    const parts = { database, commit: this.#commit, documents: this.#documents, positions: this.#positions };
    const writes = new TableWrites({ ...parts, listener, leases: this.leases, member, clock, leasesChanged });
    const ids = uuidv7(context.random);
    const transact = <T>(work: () => T) => translated(() => this.#commit.transact(work));
    const appending: Appending = (work) => translated(() => this.#appending(work, listener));
    return {
      writes,
      recommit: (units, progress) => this.#commit.commit(units, progress, listener, true),
      log: {
        append: async (records: readonly NewRecord[]) => this.#commit.append(records, listener),
        ensureTopic: (topic: Omit<TopicShape, "incarnation">) =>
          transact(() => this.topics.ensure(topic, ids.next(clock.now()))),
      },
      operate: this.#operating(createOperate(database, transact, appending), member),
    };
  }

  /** One transaction whose work also appends to the log. */
  #appending<T>(work: (append: (record: NewRecord) => void) => T, listener: CommitListener): T {
    const appender = this.#appender;
    try {
      const result = this.#commit.transact(() => {
        const now = this.#commit.moment();
        const done = work((record) => appender.add(record));
        appender.write(now);
        return done;
      });
      const topics = appender.keep();
      if (topics.length > 0) listener.appended(topics);
      return result;
    } catch (error) {
      appender.undo();
      throw error;
    }
  }

  /** A member has ended in order: its leases are free. */
  leave(member: string): void {
    this.leases.leave(member);
    try {
      this.#commit.transact(() => this.#positions.releaseAll(member));
    } catch (error) {
      // They are as free without it: who comes next finds that their holder is gone.
      this.#parts.context.logger.warn({ err: error }, "leases could not be given back in order");
    }
    this.ring({ change: { leases: true } }, member);
  }

  /**
   * After a take-over: members that are named in the file and whose processes are gone do not come back. The others have
   * a lease's time for it; then who is here looks for what they held, as their numbers may be other programs' by now.
   */
  bury(before: string | undefined): void {
    let unheard = false;
    for (const member of this.#positions.holders())
      if (member === before || !isRunning(member)) this.leases.leave(member);
      else unheard = true;
    if (!unheard) return;
    this.#cancelUnheard = this.#parts.context.clock.after(leaseMs, () => this.ring({ change: { leases: true } }, ""));
  }

  async close(): Promise<void> {
    this.#cancelTrim();
    this.#cancelUnheard();
    await this.#checkpointer?.close();
    try {
      if (this.#checkpointer !== undefined) this.#parts.database.exec("PRAGMA wal_checkpoint(TRUNCATE)");
    } catch (error) {
      // On a full disk the write-ahead log stays as it is, and is read at the next start.
      this.#parts.context.logger.warn(
        { err: error },
        "the write-ahead log could not be emptied; the next start does it",
      );
    } finally {
      this.#parts.database.close();
    }
  }

  /**
   * After an act, what the owner remembers of lanes and leases is made to agree with the file: before anything else is
   * committed, which would be checked against what was.
   */
  #operating(operate: OperateNow, member: string): OperateNow {
    const changed = <T extends ActOutcome>(outcome: T): T => {
      this.#lanes.recount(outcome.lanes);
      this.ring({ change: { lanes: outcome.lanes, amended: true } }, member);
      return outcome;
    };
    const paused = (outcome: ActOutcome): ActOutcome => {
      if (outcome.changed > 0) this.ring({ change: { pauses: true } }, member);
      return outcome;
    };
    return {
      edit: (edit, act) => changed(operate.edit(edit, act)),
      skip: (entries, act) => changed(operate.skip(entries, act)),
      redrive: (entries, act) => changed(operate.redrive(entries, act)),
      forget: (consumer, act) => {
        const outcome = changed(operate.forget(consumer, act));
        this.#forgotten(consumer);
        return this.#teller({ leases: true, builds: true }, member)(outcome);
      },
      pause: (consumer, act) => paused(operate.pause(consumer, act)),
      resume: (consumer, act) => paused(operate.resume(consumer, act)),
      seek: (asked, act) => {
        const outcome = operate.seek(asked, act);
        this.#positions.forget(asked.consumer);
        this.#lanes.recount(outcome.lanes);
        this.ring({ change: { lanes: outcome.lanes, amended: true, leases: true } }, member);
        return outcome;
      },
      ...this.#jobs(operate, member),
      ...this.#builds(operate, member),
    };
  }

  #builds(operate: OperateNow, member: string): Pick<OperateNow, "rebuild" | "swap" | "drop"> {
    const told = this.#teller({ builds: true }, member);
    return {
      rebuild: (view, act) => told(operate.rebuild(view, act)),
      swap: (asked, act) => told(operate.swap(asked, act)),
      drop: (build, act) => {
        const outcome = operate.drop(build, act);
        this.#forgotten(buildConsumer(build));
        return told(outcome);
      },
    };
  }

  #forgotten(consumer: string): void {
    this.#positions.forget(consumer);
    this.#lanes.reload();
    this.#cancelTrim();
    this.#trimLater(TrimPace.moreMs);
  }

  #teller(change: Change, member: string): <T>(outcome: T) => T {
    return (outcome) => {
      this.ring({ change }, member);
      return outcome;
    };
  }

  /** Removes a piece of what dropped builds have left. */
  #sweepDropped(): boolean {
    if (!this.#commit.transact(() => sweepDropped(this.#parts.database))) return false;
    this.#documents.forget();
    return true;
  }

  #jobs(operate: OperateNow, member: string): Pick<OperateNow, "createJob" | "changeJob" | "advanceJobs"> {
    const told = this.#teller({ jobs: true }, member);
    return {
      createJob: (job, act) => told(operate.createJob(job, act)),
      changeJob: (job, change, act) => told(operate.changeJob(job, change, act)),
      advanceJobs: (now) => {
        const outcome = operate.advanceJobs(now);
        if (outcome.lanes.length === 0) return outcome;
        this.#lanes.recount(outcome.lanes);
        this.ring({ change: { lanes: outcome.lanes } }, member);
        return outcome;
      },
    };
  }

  #trimLater(waitMs: number): void {
    const { database, context } = this.#parts;
    this.#cancelTrim = context.clock.after(waitMs, () => {
      let more = false;
      const before = this.#commit.commits;
      try {
        const transact = <T>(work: () => T) => this.#commit.transact(work);
        const resume = this.#sweep === undefined ? {} : { resume: this.#sweep };
        const trimmed = trim(database, transact, context.clock.now(), resume);
        for (const { name, first } of trimmed.topics) this.topics.get(name).first = first;
        this.#sweep = trimmed.next;
        more = this.#sweepDropped() || trimmed.more;
      } catch (error) {
        context.logger.error({ err: error }, "retention could not remove old records; it tries again in a minute");
      }
      this.#trimLater(more ? TrimPace.moreMs : this.#trimPace.nextMs(before, this.#commit.commits));
    });
  }
}
