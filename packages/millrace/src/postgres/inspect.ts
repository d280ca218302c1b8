import type { SeenLog } from "../engine/halves.js";
import type { TopicShape } from "../log/log.js";
import { amendedAs, type Build } from "../store/builds.js";
import type { AuditRow, Inspect } from "../store/inspect.js";
import { searchLog } from "../store/log-search.js";
import { type AmendmentRow, decodeAmendment, decodeOperation, type OperationRow } from "../store/rows.js";
import type { ScheduleRow } from "../store/store.js";
import { Extents, readDeliveries, readStandings, standingViews } from "./consumer-reads.js";
import { examine } from "./doctor.js";
import { readStored } from "./document-reads.js";
import { readDeadGroups, readEntries, readEntry } from "./entry-reads.js";
import { findCorrelation, findEvent, readSentTogether, readTraces } from "./event-reads.js";
import { readJob, readJobExports, readJobItems, readJobs } from "./job-reads.js";
import { seekSteps } from "./seek-reads.js";
import { type InspectParts, look, type Sight } from "./sight.js";
import { readStreamOf } from "./stream-reads.js";
import { readTimers } from "./timer-reads.js";
import { readTopics } from "./topic-reads.js";

const entriesMax = 1_000;
const correlationMax = 10_000;
const rowsMax = 10_000;

/** Reads for people, over the schemas of all services; what they show of events is read from the log. */
export function createInspect(parts: InspectParts): Inspect {
  const { log } = parts;
  const sighted = <T>(read: (sight: Sight) => Promise<T>) => look(parts, read);
  return {
    topics: async () => topicViews(log, await sighted(readTopics)),
    event: async (id) => {
      const [topics, traces] = await sighted(async (sight) => [await topicNames(sight), await readTraces(sight, id)]);
      return findEvent(log, topics, { id, traces });
    },
    events: async (query) => searchLog(log, await sighted(topicNames), query),
    stream: (query) => sighted((sight) => readStreamOf(sight, query)),
    correlation: async (id, asked) => {
      const limit = atMost(correlationMax, asked);
      const [topics, sent] = await sighted(async (sight) => [
        await topicNames(sight),
        await readSentTogether(sight, id, limit),
      ]);
      return findCorrelation(log, topics, { id, sent, limit });
    },
    timers: (id, limit) => sighted((sight) => readTimers(sight, id, atMost(rowsMax, limit))),
    deliveries: (record) => sighted((sight) => readDeliveries(sight, record)),
    consumers: async (now) => standingViews(log, await sighted(readStandings), now),
    entries: (query) => sighted((sight) => readEntries(sight, query, atMost(entriesMax, query.limit))),
    deadGroups: ({ consumer, limit }) => sighted((sight) => readDeadGroups(sight, consumer, atMost(entriesMax, limit))),
    entry: (entry) => sighted((sight) => readEntry(sight, entry)),
    documentTypes: () =>
      sighted((sight) =>
        sight.all("SELECT $service AS service, name FROM $schema.mr_document_types", { order: "service, name" }),
      ),
    documents: (query) => sighted((sight) => readStored(sight, { ...query, limit: atMost(rowsMax, query.limit) })),
    amendments: (consumer) => sighted((sight) => readAmendments(sight, consumer)),
    seekSteps: (seek) => seekSteps(parts, seek),
    jobs: (limit) => sighted((sight) => readJobs(sight, atMost(entriesMax, limit))),
    job: (job) => sighted((sight) => readJob(sight, job)),
    jobItems: (job, query) =>
      sighted((sight) => readJobItems(sight, job, { ...query, limit: atMost(rowsMax, query.limit) })),
    jobExports: (job, { after, limit }) =>
      sighted((sight) => readJobExports(sight, job, { after, limit: atMost(rowsMax, limit) })),
    operation: (id) =>
      sighted(async (sight) => {
        const [row] = await sight.rows<OperationRow>("SELECT * FROM $shared.mr_operations WHERE operation = $1", id);
        return row === undefined ? undefined : decodeOperation(row);
      }),
    builds: () =>
      sighted((sight) =>
        sight.all<Build>(
          "SELECT $service AS service, name, version, build, state, created, since FROM $schema.mr_builds",
          { order: "service, name, version, build" },
        ),
      ),
    schedules: () => sighted(readSchedules),
    audit: (limit) =>
      sighted((sight) =>
        sight.rows<AuditRow>("SELECT * FROM $shared.mr_audit ORDER BY seq DESC LIMIT $1", atMost(rowsMax, limit)),
      ),
    doctor: () => examine(parts),
  };
}

/** PostgreSQL takes no negative limit. */
const atMost = (max: number, limit: number) => Math.max(0, Math.min(max, Math.floor(limit)));

async function readAmendments(sight: Sight, consumer: string | undefined) {
  const rows = await sight.all<AmendmentRow>(
    `SELECT consumer, topic, partition, "offset", act, source, event, id, data, version, reason, actor, at FROM $schema.mr_amendments
     WHERE $1::text IS NULL OR consumer = $1`,
    { order: 'consumer, topic, partition, "offset"', limit: rowsMax },
    consumer === undefined ? null : amendedAs(consumer),
  );
  return rows.map(decodeAmendment);
}

async function readSchedules(sight: Sight): Promise<ScheduleRow[]> {
  const rows = await sight.all<Omit<ScheduleRow, "next"> & { readonly next: number | null }>(
    "SELECT $service AS service, schedule, cron, next FROM $schema.mr_schedules",
    { order: "service, schedule", limit: rowsMax },
  );
  return rows.map((row) => ({ ...row, next: row.next ?? undefined }));
}

async function topicNames(sight: Sight): Promise<string[]> {
  return (await readTopics(sight)).map(({ name }) => name);
}

async function topicViews(log: SeenLog, shapes: readonly TopicShape[]) {
  const extents = new Extents(log);
  const views: (TopicShape & { readonly records: number; readonly end: number })[] = [];
  for (const shape of shapes) {
    const { starts = [], ends = [] } = (await extents.of(shape.name)) ?? {};
    const end = ends.reduce((sum, one) => sum + one, 0);
    views.push({ ...shape, records: end - starts.reduce((sum, one) => sum + one, 0), end });
  }
  return views;
}
