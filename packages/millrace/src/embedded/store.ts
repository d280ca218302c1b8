import { createHash } from "node:crypto";
import { Failure } from "../failure/failure.js";
import type { Clock } from "../runtime/clock.js";
import type { DocumentQuery, DocumentTypeShape, Registration, ScheduleRow, Store } from "../store/store.js";
import type { Outcome, Position, Progress, SqlValue, Unit } from "../store/unit.js";
import type { Claims } from "./claims.js";
import type { CommitListener, GroupCommit } from "./commit.js";
import type { DocumentTables } from "./documents.js";
import { storeFailure } from "./errors.js";
import type { LaneTables } from "./lane-tables.js";
import type { PositionTables } from "./position-tables.js";
import { type AmendmentRow, decodeAmendment, decodeTimer, type TimerRow } from "./rows.js";
import { type Database, prepareRows, type Statement } from "./sqlite.js";

export interface StoreParts {
  readonly database: Database;
  /** A connection that cannot write; in memory, the only one. */
  readonly reader: Database;
  readonly commit: GroupCommit;
  readonly listener: CommitListener;
  readonly documents: DocumentTables;
  readonly positions: PositionTables;
  readonly lanes: LaneTables;
  readonly claims: Claims;
  readonly clock: Clock;
}

/** The store port on the engine's file. */
export class EmbeddedStore implements Store {
  readonly #parts: StoreParts;
  readonly #due: Statement;
  readonly #nextDue: Statement;

  constructor(parts: StoreParts) {
    this.#parts = parts;
    this.#due = parts.database.prepare("SELECT * FROM mr_timers WHERE due <= ? ORDER BY due, timer LIMIT ?");
    this.#nextDue = prepareRows(parts.database, "SELECT min(due) FROM mr_timers");
  }

  commit(units: readonly Unit[], progress: readonly Progress[]): readonly Outcome[] {
    return this.#parts.commit.commit(units, progress, this.#parts.listener);
  }

  readDocument(service: string, type: string, id: string) {
    return this.#parts.documents.read(service, type, id);
  }

  findDocuments(query: DocumentQuery) {
    return this.#parts.documents.find(query);
  }

  ensureDocumentType(type: DocumentTypeShape): void {
    const { documents } = this.#parts;
    if (documents.isDeclared(type)) return;
    const declared = this.#transact(() => documents.ensure(type));
    declared();
  }

  documentServices(type: string): readonly string[] {
    const rows = this.#parts.database.prepare("SELECT service FROM mr_document_types WHERE name = ?").all(type) as {
      service: string;
    }[];
    return rows.map((row) => row.service);
  }

  readRegistration(consumer: string): Registration | undefined {
    return this.#parts.positions.registration(consumer);
  }

  acquire(registration: Registration): readonly Position[] {
    const { positions, clock } = this.#parts;
    const leased = this.#transact(() => positions.acquire(registration, clock.now()));
    positions.lease(leased);
    return leased;
  }

  release(positions: readonly Position[]): void {
    this.#transact(() => this.#parts.positions.release(positions));
  }

  recovered(positions: readonly Position[]): void {
    this.#transact(() => this.#parts.positions.recovered(positions));
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

  readAmendments(consumer: string) {
    const rows = this.#parts.database
      .prepare("SELECT * FROM mr_amendments WHERE consumer = ?")
      .all(consumer) as AmendmentRow[];
    return rows.map(decodeAmendment);
  }

  readDueTimers(now: number, limit: number) {
    return (this.#due.all(now, limit) as TimerRow[]).map(decodeTimer);
  }

  nextTimer(): number | undefined {
    const [due] = this.#nextDue.get() as [number | null];
    return due ?? undefined;
  }

  ensureSchedule(row: ScheduleRow): ScheduleRow {
    return this.#transact(() => {
      const { database } = this.#parts;
      const stored = database
        .prepare("SELECT service, schedule, cron, next FROM mr_schedules WHERE service = ? AND schedule = ?")
        .get(row.service, row.schedule) as { cron: string; next: number | null } | undefined;
      if (stored !== undefined && stored.cron === row.cron) return { ...row, next: stored.next ?? undefined };
      database
        .prepare("INSERT OR REPLACE INTO mr_schedules VALUES (?, ?, ?, ?)")
        .run(row.service, row.schedule, row.cron, row.next ?? null);
      return row;
    });
  }

  readOperation(id: string) {
    return this.#parts.claims.operation(id);
  }

  migrate(service: string, migrations: readonly { readonly name: string; readonly sql: string }[]): void {
    const { database } = this.#parts;
    for (const { name, sql } of migrations) {
      const digest = createHash("sha256").update(sql).digest("base64");
      const done = database
        .prepare("SELECT digest FROM mr_migrations WHERE service = ? AND name = ?")
        .get(service, name) as { digest: string } | undefined;
      if (done !== undefined && done.digest !== digest)
        throw new Failure(
          "OPTION_INVALID",
          `${service}: migration ${name} has run with other SQL; add a new migration instead of changing it`,
        );
      if (done !== undefined) continue;
      refuseOurTables(sql, `${service}: migration ${name}`);
      this.#transact(() => {
        runMigration(database, sql, `${service}: migration ${name}`);
        database.prepare("INSERT INTO mr_migrations VALUES (?, ?, ?)").run(service, name, digest);
      });
    }
  }

  query(text: string, params: readonly SqlValue[]): readonly Record<string, unknown>[] {
    const { reader } = this.#parts;
    try {
      reader.exec("PRAGMA query_only = 1");
      return reader.prepare(text).all(...params) as Record<string, unknown>[];
    } catch (error) {
      throw storeFailure(error);
    } finally {
      reader.exec("PRAGMA query_only = 0");
    }
  }

  #transact<T>(work: () => T): T {
    try {
      return this.#parts.commit.transact(work);
    } catch (error) {
      throw storeFailure(error);
    }
  }
}

function runMigration(database: Database, sql: string, where: string): void {
  try {
    database.exec(sql);
  } catch (cause) {
    const failure = storeFailure(cause);
    throw new Failure(failure.code, `${where}: ${failure.message}`, { cause });
  }
}

function refuseOurTables(sql: string, where: string): void {
  if (/\bmr_/i.test(sql))
    throw new Failure("OPTION_INVALID", `${where}: tables named mr_… are Millrace's own; use other names`);
}
