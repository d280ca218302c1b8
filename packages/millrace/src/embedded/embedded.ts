import { join, resolve } from "node:path";
import type { Engine, EngineContext, OpenEngine } from "../engine/engine.js";
import type { NewRecord, ReadRequest, TopicShape } from "../log/log.js";
import { uuidv7 } from "../runtime/ids.js";
import type { Logger } from "../runtime/logger.js";
import type { Act, ActOutcome } from "../store/operate.js";
import type { OperationResult } from "../store/unit.js";
import { backup } from "./backup.js";
import { type Checkpointer, createCheckpointer } from "./checkpoint.js";
import { Claims } from "./claims.js";
import { type CommitListener, GroupCommit } from "./commit.js";
import { DocumentTables } from "./documents.js";
import { fileFailure } from "./errors.js";
import { prepareFile } from "./format.js";
import { createInspect } from "./inspect.js";
import { LaneTables } from "./lane-tables.js";
import { BlockReader } from "./log.js";
import { LogAppender } from "./log-appender.js";
import { createOperate } from "./operate.js";
import { makePrivate, takeOwnership } from "./owner.js";
import { PositionTables } from "./position-tables.js";
import { type Sweep, trim } from "./retention.js";
import { type Database, openDatabase } from "./sqlite.js";
import { EmbeddedStore } from "./store.js";
import { Topics } from "./topics.js";

const trimEveryMs = 60_000;
const trimMoreMs = 1_000;

/**
 * Log and store in one SQLite file, `millrace.db` in `dir`; `:memory:` keeps nothing and is for tests.
 * What a commit reports is on disk. One process at a time owns the file; others may read it.
 *
 * @throws {Failure} STORE_OWNED, STORE_FORMAT, STORE_DAMAGED or STORE_UNAVAILABLE when the app starts.
 */
export function embedded(dir = "./.millrace"): Engine {
  const memory = dir === ":memory:";
  const folder = memory ? undefined : resolve(dir);
  return { name: "embedded", dir: folder, open: async (context) => openEmbedded(folder, context) };
}

function openEmbedded(dir: string | undefined, context: EngineContext): OpenEngine {
  const file = dir === undefined ? ":memory:" : join(dir, "millrace.db");
  const owner = dir === undefined ? undefined : takeOwnership(dir);
  const opened: Database[] = [];
  try {
    if (dir !== undefined) makePrivate(dir, file);
    const database = openDatabase(file);
    opened.push(database);
    const prepared = prepareFile(database, file, context.clock.now());
    const reader = dir === undefined ? database : openDatabase(file, { readOnly: true });
    opened.push(reader);
    return new OpenEmbedded({ file, owner, database, reader, prepared, context });
  } catch (error) {
    for (const database of opened) if (database.isOpen) database.close();
    owner?.release();
    throw fileFailure(error);
  }
}

interface EmbeddedParts {
  readonly file: string;
  /** Undefined in memory. */
  readonly owner: { release(): void } | undefined;
  readonly database: Database;
  /** A connection that cannot write; in memory, the only one. */
  readonly reader: Database;
  readonly prepared: ReturnType<typeof prepareFile>;
  readonly context: EngineContext;
}

class OpenEmbedded implements OpenEngine {
  readonly log;
  readonly store: EmbeddedStore;
  readonly inspect;
  readonly operate;
  readonly #database: Database;
  readonly #reader: Database;
  readonly #owner: { release(): void } | undefined;
  readonly #checkpointer: Checkpointer | undefined;
  readonly #appended = new Set<(topics: readonly string[]) => void>();
  readonly #handled = new Set<(results: readonly OperationResult[]) => void>();
  readonly #logger: Logger;
  #cancelTrim = () => {};

  constructor({ file, owner, database, reader, prepared, context }: EmbeddedParts) {
    const { clock, logger } = context;
    const topics = new Topics(database);
    const blocks = new BlockReader(reader, topics);
    const documents = new DocumentTables(database);
    const positions = new PositionTables(database);
    const lanes = new LaneTables(database);
    const claims = new Claims(database, positions, lanes);
    const appender = new LogAppender(database, topics);
    const commit = new GroupCommit(
      { database, appender, documents, positions, lanes, claims, clock },
      { ...prepared, appended: topics.lastAppended },
    );
    const listener: CommitListener = {
      appended: (names) => {
        for (const heard of this.#appended) heard(names);
      },
      handled: (results) => {
        for (const heard of this.#handled) heard(results);
      },
      wrote: (bytes) => this.#checkpointer?.committed(bytes),
    };
    const ids = uuidv7(context.random);
    this.#database = database;
    this.#reader = reader;
    this.#owner = owner;
    this.#logger = logger;
    this.#checkpointer = owner === undefined ? undefined : createCheckpointer({ file, database, logger });
    this.store = new EmbeddedStore({ database, reader, commit, listener, documents, positions, lanes, claims, clock });
    this.inspect = createInspect(reader, owner === undefined ? undefined : file);
    const transact = <T>(work: () => T) => translated(() => commit.transact(work));
    this.operate = this.#operating(createOperate(database, transact), lanes, positions);
    this.log = {
      read: (request: ReadRequest) => translated(() => blocks.read(request)),
      ends: (name: string) => everyPartition(topics.get(name).shape, topics.get(name).end),
      starts: (name: string) => everyPartition(topics.get(name).shape, topics.get(name).first),
      append: async (records: readonly NewRecord[]) => commit.append(records, listener),
      ensureTopic: (topic: Omit<TopicShape, "incarnation">) =>
        transact(() => topics.ensure(topic, ids.next(clock.now()))),
      topics: () => [...topics.byName.values()].map((topic) => topic.shape),
    };
    let sweep: Sweep | undefined;
    const trimLater = (waitMs: number) => {
      this.#cancelTrim = clock.after(waitMs, () => {
        let more = false;
        try {
          const trimmed = trim(
            database,
            (work) => commit.transact(work),
            clock.now(),
            sweep === undefined ? {} : { resume: sweep },
          );
          for (const { name, first } of trimmed.topics) topics.get(name).first = first;
          sweep = trimmed.next;
          more = trimmed.more;
        } catch (error) {
          logger.error({ err: error }, "retention could not remove old records; it tries again in a minute");
        }
        trimLater(more ? trimMoreMs : trimEveryMs);
      });
    };
    trimLater(trimEveryMs);
  }

  onAppended(heard: (topics: readonly string[]) => void): () => void {
    this.#appended.add(heard);
    return () => this.#appended.delete(heard);
  }

  onHandled(heard: (results: readonly OperationResult[]) => void): () => void {
    this.#handled.add(heard);
    return () => this.#handled.delete(heard);
  }

  async backup(file: string): Promise<void> {
    await backup(this.#reader, file);
  }

  async close(): Promise<void> {
    this.#cancelTrim();
    await this.#checkpointer?.close();
    try {
      if (this.#owner !== undefined) this.#database.exec("PRAGMA wal_checkpoint(TRUNCATE)");
    } catch (error) {
      // On a full disk the write-ahead log stays as it is, and is read at the next start.
      this.#logger.warn({ err: error }, "the write-ahead log could not be emptied; the next start does it");
    } finally {
      if (this.#reader !== this.#database) this.#reader.close();
      this.#database.close();
      this.#owner?.release();
    }
  }

  /** After an act, what the owner remembers of lanes and leases is made to agree with the file. */
  #operating(operate: ReturnType<typeof createOperate>, lanes: LaneTables, positions: PositionTables) {
    const changed = (outcome: ActOutcome) => {
      lanes.reload();
      return outcome;
    };
    return {
      edit: async (entry: number, id: string, data: string, act: Act) =>
        changed(await operate.edit(entry, id, data, act)),
      skip: async (entry: number, act: Act) => changed(await operate.skip(entry, act)),
      redrive: async (entries: readonly number[], act: Act) => changed(await operate.redrive(entries, act)),
      forget: async (consumer: string, act: Act) => {
        const outcome = changed(await operate.forget(consumer, act));
        positions.forget(consumer);
        return outcome;
      },
    };
  }
}

/** Runs `work`; what SQLite refuses becomes one of our failures. */
function translated<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw fileFailure(error);
  }
}

function everyPartition(shape: TopicShape, offset: number): number[] {
  return new Array<number>(shape.partitions).fill(offset);
}
