import { amendedAs, type Build } from "../store/builds.js";
import { recordFilter } from "../store/event-filter.js";
import type { EntryQuery, Inspect } from "../store/inspect.js";
import {
  type AmendmentRow,
  decodeAmendment,
  decodeEntry,
  decodeOperation,
  decodeTimer,
  type EntryRow,
  type OperationRow,
  type TimerRow,
} from "../store/rows.js";
import type { DueTimer, ScheduleRow } from "../store/store.js";
import type { Amendment, LaneEntry, Operation } from "../store/unit.js";
import { readDeadGroups } from "./dead-groups.js";
import { examine } from "./doctor.js";
import { storeFailure } from "./errors.js";
import { findCorrelation, findEvent, searchEvents } from "./event-search.js";
import { readTopics } from "./history.js";
import { readJobExports } from "./job-exports.js";
import { readJob, readJobItems, readJobs } from "./jobs.js";
import { all, first } from "./query.js";
import { seekSteps } from "./seek.js";
import type { Database, SqliteValue } from "./sqlite.js";
import { readConsumers, readDeliveries } from "./standing.js";
import { readStored } from "./stored-documents.js";
import { StreamReader } from "./streams.js";

const entriesMax = 1_000;
const correlationMax = 10_000;
const rowsMax = 10_000;
const pageRows = 200;

/**
 * Reads for people over a connection, which may be read-only and should not be the one that commits: a search reads up
 * to 16 MiB of the log. With `file`, the doctor also looks at the write-ahead log and the disk.
 *
 * @throws {Failure} STORE_DAMAGED, from each of its methods, when a page or a row of the file is damaged.
 */
export function createInspect(database: Database, file?: string): Inspect {
  const inspect: Inspect = {
    topics: () => readTopics(database).map(({ shape, first: start, end }) => ({ ...shape, records: end - start, end })),
    event: (id) => findEvent(database, id),
    events: (query) => searchEvents(database, query),
    stream: (query) =>
      new StreamReader(database, (name) => readTopics(database).find(({ shape }) => shape.name === name)?.id).read(
        query,
      ),
    correlation: (id, limit) => findCorrelation(database, id, atMost(correlationMax, limit)),
    timers: (id, limit) => readTimers(database, id, atMost(rowsMax, limit)),
    deliveries: (record) => readDeliveries(database, record),
    consumers: (now) => readConsumers(database, now),
    entries: (query) => readEntries(database, query),
    deadGroups: ({ consumer, limit }) => readDeadGroups(database, consumer, atMost(entriesMax, limit)),
    entry: (entry) => readEntry(database, entry),
    documentTypes: () => all(database, "SELECT service, name FROM mr_document_types ORDER BY service, name"),
    documents: (query) => readStored(database, { ...query, limit: atMost(rowsMax, query.limit) }),
    amendments: (consumer) => readAmendments(database, consumer === undefined ? undefined : amendedAs(consumer)),
    seekSteps: (seek) => seekSteps(database, seek),
    jobs: (limit) => readJobs(database, atMost(entriesMax, limit)),
    job: (job) => readJob(database, job),
    jobExports: (job, { after, limit }) => readJobExports(database, job, { after, limit: atMost(rowsMax, limit) }),
    jobItems: (job, query) => readJobItems(database, job, { ...query, limit: atMost(rowsMax, query.limit) }),
    operation: (id) => readOperation(database, id),
    builds: () => all<Build>(database, "SELECT * FROM mr_builds ORDER BY service, name, version, build"),
    schedules: () => readSchedules(database),
    audit: (limit) => all(database, "SELECT * FROM mr_audit ORDER BY seq DESC LIMIT ?", atMost(rowsMax, limit)),
    doctor: () => examine(database, file),
  };
  return consistent(database, inspect);
}

/** Each read sees one moment of the file, and SQLite's own errors become failures that say what to do. */
function consistent(database: Database, inspect: Inspect): Inspect {
  const reads = Object.entries(inspect) as [string, (...args: unknown[]) => unknown][];
  const safe = reads.map(([name, read]) => [
    name,
    (...args: unknown[]) => {
      try {
        return inSnapshot(database, () => read(...args));
      } catch (error) {
        throw storeFailure(error);
      }
    },
  ]);
  return Object.fromEntries(safe) as Inspect;
}

function inSnapshot<T>(database: Database, read: () => T): T {
  if (database.isTransaction) return read();
  database.exec("BEGIN");
  try {
    return read();
  } finally {
    if (database.isTransaction) database.exec("ROLLBACK");
  }
}

/** SQLite reads a negative limit as none. */
const atMost = (max: number, limit: number) => Math.max(0, Math.min(max, Math.floor(limit)));

function readEntries(database: Database, query: EntryQuery): LaneEntry[] {
  const conditions = ["entry > ?"];
  const params: SqliteValue[] = [query.afterEntry ?? 0];
  for (const name of ["consumer", "state", "fingerprint", "lane"] as const) {
    const value = query[name];
    if (value === undefined) continue;
    conditions.push(`${name} = ?`);
    params.push(value);
  }
  const limit = atMost(entriesMax, query.limit);
  const sql = `SELECT * FROM mr_lane_entries WHERE ${conditions.join(" AND ")} ORDER BY entry LIMIT ${pageRows}`;
  const fits = recordFilter(query.event);
  const found: LaneEntry[] = [];
  for (;;) {
    const page = all<EntryRow>(database, sql, ...params);
    for (const row of page) {
      if (found.length === limit) return found;
      const entry = decodeEntry(row);
      if (fits(entry.record)) found.push(entry);
    }
    const last = page.at(-1);
    if (last === undefined || page.length < pageRows) return found;
    params[0] = last.entry;
  }
}

function readEntry(database: Database, entry: number): LaneEntry | undefined {
  const row = first<EntryRow>(database, "SELECT * FROM mr_lane_entries WHERE entry = ?", entry);
  return row === undefined ? undefined : decodeEntry(row);
}

function readAmendments(database: Database, consumer: string | undefined): Amendment[] {
  const order = "ORDER BY consumer, topic, partition, offset LIMIT ?";
  const rows =
    consumer === undefined
      ? all<AmendmentRow>(database, `SELECT * FROM mr_amendments ${order}`, rowsMax)
      : all<AmendmentRow>(database, `SELECT * FROM mr_amendments WHERE consumer = ? ${order}`, consumer, rowsMax);
  return rows.map(decodeAmendment);
}

function readOperation(database: Database, id: string): Operation | undefined {
  const row = first<OperationRow>(database, "SELECT * FROM mr_operations WHERE operation = ?", id);
  return row === undefined ? undefined : decodeOperation(row);
}

/** By an index over the expression; a file that was made before there was one is read through. */
function readTimers(database: Database, correlationId: string, limit: number): DueTimer[] {
  const sql = "SELECT * FROM mr_timers WHERE json_extract(record, '$.correlationId') = ? ORDER BY due, timer LIMIT ?";
  return all<TimerRow>(database, sql, correlationId, limit).map(decodeTimer);
}

function readSchedules(database: Database): ScheduleRow[] {
  return all<{ service: string; schedule: string; cron: string; next: number | null }>(
    database,
    "SELECT * FROM mr_schedules ORDER BY service, schedule LIMIT ?",
    rowsMax,
  ).map((row) => ({ ...row, next: row.next ?? undefined }));
}
