import { indexBytes } from "../postgres/index-values.js";
import { numberStep } from "../postgres/names.js";
import { correlationOf, outboxRecord } from "../postgres/outbox-rows.js";
import { amendedAs } from "../store/builds.js";
import { PositionState } from "../store/position-state.js";
import { decodeRanges, decodeRecord, decodeSubscriptions, encodeRanges, encodeRecord } from "../store/rows.js";
import type { EventPlace } from "../store/unit.js";
import { draftOf } from "./copy-log.js";
import type { Offsets } from "./offsets.js";
import type { Source } from "./source.js";

/** Rows of one table, by the names of its columns. */
export interface TableRows {
  readonly table: string;
  readonly rows: Iterable<Row>;
}

type Row = Readonly<Record<string, unknown>>;
type Place = { readonly topic: string; readonly partition: number; readonly offset: number };

/** What rows are made from. */
export interface Moving {
  readonly source: Source;
  readonly offsets: Offsets;
  /** The number of each service in the new store. */
  readonly numbers: ReadonlyMap<string, number>;
  /** Of the new log's topics. */
  readonly incarnations: ReadonlyMap<string, string>;
  readonly now: number;
}

/** All services that the file knows. */
export function servicesOf(source: Source): string[] {
  const sql = `SELECT service FROM mr_consumers UNION SELECT service FROM mr_document_types UNION SELECT service FROM mr_builds
    UNION SELECT service FROM mr_timers UNION SELECT service FROM mr_schedules UNION SELECT owner FROM mr_topics`;
  return source
    .rows<{ service: string }>(sql)
    .map(({ service }) => service)
    .sort();
}

/** The rows of one service. What one commit wrote has one number from now on: that of the move. */
export function serviceRows(moving: Moving, service: string): TableRows[] {
  const { source, numbers } = moving;
  const number = numbers.get(service) as number;
  const numbered = (row: number) => row * numberStep + number;
  const own = "consumer IN (SELECT consumer FROM mr_consumers WHERE service = ?)";
  const rows = <T extends Row>(sql: string) => source.rows<T>(sql, service);
  return [
    { table: "mr_document_types", rows: rows("SELECT name, indexes FROM mr_document_types WHERE service = ?") },
    {
      table: "mr_documents",
      rows: rows(`SELECT t.name AS type, d.id, 0 AS version, d.schema, d.data FROM mr_documents AS d
        JOIN mr_document_types AS t ON t.type = d.type WHERE t.service = ?`),
    },
    ...(["index", "unique"] as const).map((kind) => ({
      table: `mr_document_${kind}`,
      rows: rows<Row & { value: unknown }>(`SELECT t.name AS type, i.field, i.value, i.id FROM mr_document_${kind} AS i
        JOIN mr_document_types AS t ON t.type = i.type WHERE t.service = ?`).map((row) => ({
        ...row,
        value: `\\x${indexBytes(indexValue(row.value)).toString("hex")}`,
      })),
    })),
    ...streamRows(moving, service),
    {
      table: "mr_identities",
      rows: rows(`SELECT i.source, i.id, i.digest, ${moving.now} AS committed FROM mr_identities AS i
        JOIN mr_topics AS t ON t.topic = i.topic WHERE t.owner = ?`),
    },
    {
      table: "mr_builds",
      rows: rows("SELECT name, version, build, state, created, since FROM mr_builds WHERE service = ?"),
    },
    {
      table: "mr_consumers",
      rows: rows<{ consumer: string; topics: string; registered: number }>(
        "SELECT consumer, topics, registered FROM mr_consumers WHERE service = ?",
      ).map((row) => ({ ...row, topics: JSON.stringify(subscriptions(moving, row.topics)) })),
    },
    { table: "mr_pauses", rows: rows(`SELECT * FROM mr_pauses WHERE ${own}`) },
    {
      table: "mr_positions",
      rows: rows<Place & { position: number; frontier: number; finished: string }>(
        `SELECT position, consumer, topic, partition, '' AS owner, epoch + 1 AS epoch, generation, 0 AS crashes, frontier, finished
         FROM mr_positions WHERE ${own}`,
      ).map((row) => ({ ...row, position: numbered(row.position), handled: 0, ...movedPosition(moving.offsets, row) })),
    },
    {
      table: "mr_mutes",
      rows: rows<Place & { until: number }>(`SELECT * FROM mr_mutes WHERE ${own}`).map((row) => ({
        ...row,
        until: moving.offsets.moved({ ...row, offset: row.until }),
      })),
    },
    { table: "mr_lane_entries", rows: entryRows(moving, rows(`SELECT * FROM mr_lane_entries WHERE ${own}`), numbered) },
    { table: "mr_amendments", rows: amendmentRows(moving, service) },
    {
      table: "mr_timers",
      rows: rows<Place & { timer: number; record: string; topic: string | null }>(
        "SELECT timer, name, due, record, consumer, topic, partition, offset FROM mr_timers WHERE service = ?",
      ).map((row) => ({
        ...row,
        timer: numbered(row.timer),
        correlation: (JSON.parse(row.record) as { correlationId?: string }).correlationId ?? null,
        offset: row.topic === null ? null : moving.offsets.moved(row),
      })),
    },
    { table: "mr_schedules", rows: rows("SELECT schedule, cron, next FROM mr_schedules WHERE service = ?") },
  ];
}

/** The rows that all services share. */
export function sharedRows({ source, offsets, numbers }: Moving): TableRows[] {
  const services = new Map(
    source
      .rows<{ consumer: string; service: string }>("SELECT consumer, service FROM mr_consumers")
      .map((row) => [row.consumer, row.service]),
  );
  const operations = source.rows<Row & { events: string | null }>("SELECT * FROM mr_operations").map((row) => ({
    ...row,
    events: row.events === null ? null : JSON.stringify(placesOf(row.events, offsets)),
  }));
  const items = source.rows<Row & { entry: number; consumer: string; accepted: number }>("SELECT * FROM mr_job_items");
  return [
    { table: "mr_operations", rows: operations },
    {
      table: "mr_jobs",
      rows: source
        .rows<Row & { force: number }>("SELECT * FROM mr_jobs")
        .map((row) => ({ ...row, force: row.force === 1 })),
    },
    {
      table: "mr_job_items",
      rows: items.map((row) => {
        const number = numbers.get(services.get(row.consumer) ?? "") ?? 0;
        return { ...row, entry: row.entry * numberStep + number, accepted: row.accepted === 1 };
      }),
    },
    { table: "mr_job_exports", rows: source.rows("SELECT * FROM mr_job_exports") },
    { table: "mr_audit", rows: source.rows("SELECT * FROM mr_audit") },
  ];
}

function placesOf(text: string, offsets: Offsets): EventPlace[] {
  return (JSON.parse(text) as EventPlace[]).map((place) => ({ ...place, offset: offsets.moved(place) }));
}

/** An absent value is an empty blob. */
function indexValue(value: unknown): string | number | null {
  return typeof value === "string" || typeof value === "number" ? value : null;
}

/** What lay apart in the file, with other partitions' records between, may touch now. */
function movedPosition(offsets: Offsets, row: Omit<Place, "offset"> & { frontier: number; finished: string }) {
  const frontier = offsets.moved({ ...row, offset: row.frontier });
  const state = new PositionState({ ...positionNone, frontier, finished: [] });
  for (const [start, end] of offsets.ranges(row, decodeRanges(row.finished))) state.finish(start, end);
  return { frontier: state.frontier, finished: encodeRanges(state.ranges) };
}

const positionNone = { id: 0, consumer: "", topic: "", partition: 0, epoch: 0, generation: 1, crashes: 0 };

function subscriptions({ incarnations }: Moving, text: string) {
  return decodeSubscriptions(text).map((heard) => ({
    ...heard,
    incarnation: incarnations.get(heard.topic) ?? heard.incarnation,
  }));
}

function entryRows(
  { offsets }: Moving,
  rows: readonly (Row & Place & { entry: number; holds: number; record: string })[],
  numbered: (row: number) => number,
): Row[] {
  return rows.map((row) => {
    const record = decodeRecord(row.record);
    const offset = offsets.moved(row);
    const { source, id } = offsets.name(row) ?? record;
    const moved = encodeRecord({ ...record, offset });
    return { ...row, entry: numbered(row.entry), holds: row.holds === 1, offset, source, id, record: moved };
  });
}

/** Amendments belong to the consumers of all builds of a view; those of what retention has removed are of no more use. */
function amendmentRows({ source, offsets }: Moving, service: string): Row[] {
  const consumers = source.rows<{ consumer: string }>("SELECT consumer FROM mr_consumers WHERE service = ?", service);
  const names = new Set(consumers.map(({ consumer }) => amendedAs(consumer)));
  const rows = source.rows<Row & Place & { consumer: string }>("SELECT * FROM mr_amendments");
  return rows.flatMap((row) => {
    const name = offsets.name(row);
    if (!names.has(row.consumer) || name === undefined) return [];
    return [{ ...row, offset: offsets.moved(row), source: name.source, event: name.id }];
  });
}

function streamRows({ source }: Moving, service: string): TableRows[] {
  const topics = source.topics.filter(({ shape }) => shape.streams === true && shape.owner === service);
  const events = function* (): Generator<Row> {
    for (const topic of topics)
      for (const record of source.records(topic)) {
        const draft = draftOf(record);
        const { partition, key, id, source: of } = record;
        yield {
          ...{ topic: record.topic, key, sequence: record.headers?.sequence, partition, id, source: of },
          ...{ correlation: correlationOf(draft), committed: record.appended, record: outboxRecord(draft) },
        };
      }
  };
  return [
    {
      table: "mr_streams",
      rows: source.rows(
        `SELECT t.name AS topic, s.key, (SELECT max(sequence) FROM mr_stream_events WHERE stream = s.stream) AS version
         FROM mr_streams AS s JOIN mr_topics AS t ON t.topic = s.topic WHERE t.owner = ?`,
        service,
      ),
    },
    { table: "mr_stream_events", rows: events() },
    {
      table: "mr_snapshots",
      rows: source.rows(
        `SELECT t.name AS topic, s.key, p.version, p.fold, p.state FROM mr_snapshots AS p
         JOIN mr_streams AS s ON s.stream = p.stream JOIN mr_topics AS t ON t.topic = s.topic WHERE t.owner = ?`,
        service,
      ),
    },
  ];
}
