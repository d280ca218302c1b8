import { Failure } from "../failure/failure.js";
import { amendedAs, type Build } from "../store/builds.js";
import type { ChangesQuery, DocumentFilter, DocumentQuery } from "../store/document-query.js";
import type { JobsDue } from "../store/jobs.js";
import { type AmendmentRow, decodeAmendment, decodeTimer, type TimerRow } from "../store/rows.js";
import type { Registration, Store } from "../store/store.js";
import type { Snapshot, StreamName, StreamPage, StreamQuery } from "../store/stream.js";
import type { EventPlace, Mute, Pause, Position, Reach, SqlValue } from "../store/unit.js";
import type { Claims } from "./claims.js";
import { readChanges } from "./document-changes.js";
import { DocumentQueries } from "./document-queries.js";
import type { DocumentTables } from "./documents.js";
import { isReadOnly, storeFailure } from "./errors.js";
import { dueJobs } from "./job-ladder.js";
import type { LaneTables } from "./lane-tables.js";
import { readPause } from "./pauses.js";
import type { PositionTables } from "./position-tables.js";
import { readReach } from "./reach.js";
import { readMutes } from "./seek.js";
import { type Database, prepareRows, type Statement } from "./sqlite.js";
import { StreamReader } from "./streams.js";
import type { Topics } from "./topics.js";

/** What a process asks the file for while it runs: answered by its own connection, owner or not. */
export type StoreReads = Pick<
  Store,
  | "readDocument"
  | "findDocuments"
  | "countDocuments"
  | "readChanges"
  | "documentServices"
  | "readStream"
  | "readSnapshot"
  | "readRegistration"
  | "readPosition"
  | "readLaneHeads"
  | "readEntry"
  | "readLaneHead"
  | "readMutes"
  | "dueJobs"
  | "readPause"
  | "readAmendments"
  | "readDueTimers"
  | "nextTimer"
  | "readReach"
  | "readBuilds"
  | "readOperation"
  | "query"
>;

export interface ReadsParts {
  readonly database: Database;
  /** A connection that cannot write; in memory, the only one. */
  readonly reader: Database;
  readonly documents: DocumentTables;
  readonly positions: PositionTables;
  readonly lanes: LaneTables;
  readonly claims: Claims;
  readonly topics: Topics;
}

/** The reading half of the store port, on one connection. */
export class TableReads implements StoreReads {
  readonly #parts: ReadsParts;
  readonly #due: Statement;
  readonly #nextDue: Statement;
  readonly #queries: DocumentQueries;
  readonly #builds: Statement;
  readonly #streams: StreamReader;

  constructor(parts: ReadsParts) {
    this.#parts = parts;
    this.#queries = new DocumentQueries(parts.database);
    this.#builds = parts.database.prepare("SELECT * FROM mr_builds WHERE service = ? AND name = ?");
    this.#due = parts.database.prepare("SELECT * FROM mr_timers WHERE due <= ? ORDER BY due, timer LIMIT ?");
    this.#nextDue = prepareRows(parts.database, "SELECT min(due) FROM mr_timers");
    this.#streams = new StreamReader(parts.reader, (name) => parts.topics.byName.get(name)?.id);
  }

  readDocument(service: string, type: string, id: string) {
    return this.#parts.documents.read(service, type, id);
  }

  findDocuments(query: DocumentQuery) {
    const type = this.#parts.documents.type(query.service, query.type);
    return type === undefined ? [] : this.#queries.find(type, query);
  }

  countDocuments(filter: DocumentFilter) {
    const type = this.#parts.documents.type(filter.service, filter.type);
    return type === undefined ? 0 : this.#queries.count(type, filter);
  }

  readChanges(query: ChangesQuery) {
    const { documents, database } = this.#parts;
    return readChanges(database, documents.type(query.service, query.type)?.id, query);
  }

  documentServices(type: string): readonly string[] {
    const rows = this.#parts.database.prepare("SELECT service FROM mr_document_types WHERE name = ?").all(type) as {
      service: string;
    }[];
    return rows.map((row) => row.service);
  }

  readStream(query: StreamQuery): StreamPage {
    return this.#streams.read(query);
  }

  readSnapshot(stream: StreamName): Snapshot | undefined {
    return this.#streams.snapshot(stream);
  }

  readRegistration(consumer: string): Registration | undefined {
    return this.#parts.positions.registration(consumer);
  }

  readPosition(id: number): Position | undefined {
    return this.#parts.positions.read(id);
  }

  readLaneHeads(consumer: string) {
    return this.#parts.lanes.heads(consumer);
  }

  readEntry(entry: number) {
    return this.#parts.lanes.entry(entry);
  }

  readLaneHead(consumer: string, lane: string) {
    return this.#parts.lanes.head(consumer, lane);
  }

  readMutes(consumer: string): readonly Mute[] {
    return readMutes(this.#parts.database, consumer);
  }

  dueJobs(): JobsDue | undefined {
    return dueJobs(this.#parts.database);
  }

  readPause(consumer: string): Pause | undefined {
    return readPause(this.#parts.database, consumer);
  }

  readAmendments(consumer: string) {
    const rows = this.#parts.database
      .prepare("SELECT * FROM mr_amendments WHERE consumer = ?")
      .all(amendedAs(consumer)) as AmendmentRow[];
    return rows.map(decodeAmendment);
  }

  readDueTimers(now: number, limit: number) {
    return (this.#due.all(now, limit) as TimerRow[]).map(decodeTimer);
  }

  nextTimer(): number | undefined {
    const [due] = this.#nextDue.get() as [number | null];
    return due ?? undefined;
  }

  readBuilds(service: string, name: string): readonly Build[] {
    return this.#builds.all(service, name) as unknown as Build[];
  }

  readReach(consumer: string, place: EventPlace): Reach {
    return readReach(this.#parts.database, consumer, place);
  }

  readOperation(id: string) {
    return this.#parts.claims.operation(id);
  }

  query(text: string, params: readonly SqlValue[]): readonly Record<string, unknown>[] {
    const { reader } = this.#parts;
    try {
      reader.exec("PRAGMA query_only = 1");
      return reader.prepare(text).all(...params) as Record<string, unknown>[];
    } catch (error) {
      if (!isReadOnly(error)) throw storeFailure(error);
      throw new Failure(
        "OPTION_INVALID",
        `a query only reads, not: ${text.slice(0, 60)}; write with ctx.sql in a handler`,
        { cause: error },
      );
    } finally {
      reader.exec("PRAGMA query_only = 0");
    }
  }
}
