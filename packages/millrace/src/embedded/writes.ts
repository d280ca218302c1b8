import { createHash } from "node:crypto";
import { Failure } from "../failure/failure.js";
import type { Clock } from "../runtime/clock.js";
import type { Build } from "../store/builds.js";
import { refuseReserved } from "../store/sql.js";
import type { DocumentTypeShape, Leased, Registration, ScheduleRow, Store } from "../store/store.js";
import type { Outcome, Position, Progress, Unit } from "../store/unit.js";
import { ensureBuild } from "./builds.js";
import type { CommitListener, GroupCommit } from "./commit.js";
import type { DocumentTables } from "./documents.js";
import { storeFailure } from "./errors.js";
import type { Leases } from "./leases.js";
import type { PositionTables } from "./position-tables.js";
import type { Database } from "./sqlite.js";

/** What only the file's owner does, for itself and for the others. */
export type StoreWrites = Pick<
  Store,
  | "commit"
  | "ensureDocumentType"
  | "ensureBuild"
  | "acquire"
  | "leases"
  | "release"
  | "recovered"
  | "ensureSchedule"
  | "migrate"
>;

export interface WritesParts {
  readonly database: Database;
  readonly commit: GroupCommit;
  readonly listener: CommitListener;
  readonly documents: DocumentTables;
  readonly positions: PositionTables;
  readonly leases: Leases;
  /** For whom it writes: leases belong to members. */
  readonly member: string;
  readonly clock: Clock;
  /** Others may look whether there is a lease for them now. */
  readonly leasesChanged: () => void;
}

/** The writing half of the store port, for one member. */
export class TableWrites implements StoreWrites {
  readonly #parts: WritesParts;

  constructor(parts: WritesParts) {
    this.#parts = parts;
  }

  commit(units: readonly Unit[], progress: readonly Progress[]): readonly Outcome[] {
    return this.#parts.commit.commit(units, progress, this.#parts.listener);
  }

  ensureDocumentType(type: DocumentTypeShape): void {
    const { documents } = this.#parts;
    if (documents.isDeclared(type)) return;
    const declared = this.#transact(() => documents.ensure(type));
    declared();
  }

  ensureBuild(service: string, name: string, version: number): readonly Build[] {
    const { database, clock } = this.#parts;
    return this.#transact(() => ensureBuild(database, { service, name, version }, clock.now()));
  }

  acquire(registration: Registration): readonly Position[] {
    const { positions, clock } = this.#parts;
    const taken = this.#transact(() => positions.acquire(registration, this.#parts, clock.now()));
    positions.lease(taken);
    this.#parts.leasesChanged();
    return taken;
  }

  leases(consumer: string): Leased {
    const { positions, leases, member } = this.#parts;
    // A new owner hears of its members' consumers one by one.
    const joined = leases.join(member, consumer);
    const leased = this.#transact(() => positions.renew(consumer, this.#parts));
    positions.lease(leased.held);
    if (joined) this.#parts.leasesChanged();
    return leased;
  }

  release(positions: readonly Position[]): void {
    this.#transact(() => this.#parts.positions.release(positions, this.#parts.member));
    this.#parts.leasesChanged();
  }

  recovered(positions: readonly Position[]): void {
    this.#transact(() => this.#parts.positions.recovered(positions));
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
      refuseReserved(sql, `${service}: migration ${name}`);
      this.#transact(() => {
        runMigration(database, sql, `${service}: migration ${name}`);
        database.prepare("INSERT INTO mr_migrations VALUES (?, ?, ?)").run(service, name, digest);
      });
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
