import type { NewRecord } from "../../log/log.js";
import { isUuid } from "../../runtime/ids.js";
import { amendedAs } from "../../store/builds.js";
import { PositionState } from "../../store/position-state.js";
import { decodeOperation, decodeRanges } from "../../store/rows.js";
import type { NewEntry } from "../../store/unit.js";
import { plainArray, textArray } from "../arrays.js";
import { indexBytes } from "../index-values.js";
import { takeLocks } from "../locks.js";
import { operationColumns, operationRow } from "../operation-rows.js";
import type { Place, Places } from "../places.js";
import type { Session } from "../session.js";
import { Facts, idempotencyKey } from "./facts.js";
import { documentKey, eventKey, laneKey, streamKey, uniqueKey } from "./group.js";
import type { WantedDocument, Wants } from "./wants.js";

/** Locks what a group touches, table after table in one order for all processes, and reads what it is to be checked against. */
export async function readFacts(session: Session, place: Place, { wants, places }: Reading): Promise<Facts> {
  const facts = new Facts();
  await fence(session, place, { wants, facts });
  await readDocuments(session, place, { wants, facts, places });
  const optional: [boolean, Read][] = [
    [wants.values.size > 0, readHolders],
    [wants.streams.size > 0, readStreams],
    [wants.entries.size > 0, readEntries],
    [wants.letters.length > 0, readAmended],
    [wants.timers.size > 0, readTimers],
    [wants.schedules.size > 0, readSchedules],
    [wants.operations.length > 0, readOperations],
    [wants.named.size > 0, readIdentities],
    [wants.sent.length > 0, readSent],
  ];
  for (const [wanted, read] of optional) if (wanted) await read(session, place, { wants, facts });
  return facts;
}

export interface Reading {
  readonly wants: Wants;
  readonly places: Places;
}

interface Into {
  readonly wants: Wants;
  readonly facts: Facts;
}

type Read = (session: Session, place: Place, into: Into) => Promise<void>;

/** The rows of positions, by number, then what has no row: one statement, whose parts run in this order. */
const fenceText = `SELECT 0, pg_current_xact_id()::text::bigint, 0::bigint, ''::text, 0, 0, 0::bigint
  UNION ALL SELECT * FROM (
    SELECT p.position, p.epoch, p.frontier, p.finished, p.pass, c.number, p.handled
    FROM $schema.mr_positions AS p JOIN $schema.mr_consumers AS c ON c.consumer = p.consumer
    WHERE p.position = ANY($4::bigint[]) ORDER BY p.position FOR UPDATE OF p) AS f
  UNION ALL SELECT -1, ${takeLocks}, 0, '', 0, 0, 0`;

async function fence(session: Session, { texts }: Place, { wants, facts }: Into): Promise<void> {
  const numbers = [...wants.positions].sort((a, b) => a - b);
  const rows = await session.rows(texts.of("fence", fenceText), ...wants.locks.columns(), plainArray(numbers));
  for (const row of rows) {
    const [position, epoch, frontier, finished, pass, number, handled] = row as [
      ...[number, number, number, string, number, number, number],
    ];
    if (position === 0) facts.xid = epoch;
    if (position <= 0) continue;
    const state = new PositionState({ frontier, finished: decodeRanges(finished) });
    facts.positions.set(position, { epoch, pass, number, state, handled });
  }
}

/**
 * Each row is locked in turn, as it is to be used: two transactions that want the same rows want them in the same order. Lanes
 * are counted behind that, under locks that are held already.
 */
const documentsText = `SELECT * FROM (SELECT w.type, w.id, coalesce(a.version, b.version) AS version
  FROM unnest($1::text[], $2::text[], $3::bool[]) AS w(type, id, written)
  LEFT JOIN LATERAL (SELECT d.version FROM $schema.mr_documents AS d
    WHERE w.written AND d.type = w.type AND d.id = w.id FOR UPDATE) AS a ON true
  LEFT JOIN LATERAL (SELECT d.version FROM $schema.mr_documents AS d
    WHERE NOT w.written AND d.type = w.type AND d.id = w.id FOR SHARE) AS b ON true) AS d WHERE version IS NOT NULL`;
const lanesText = `SELECT w.consumer, w.lane, -e.n FROM unnest($4::text[], $5::text[]) AS w(consumer, lane)
  CROSS JOIN LATERAL (SELECT count(*) AS n FROM $schema.mr_lane_entries AS e
    WHERE e.consumer = w.consumer AND e.lane = w.lane AND e.holds) AS e WHERE e.n > 0`;

async function readDocuments(session: Session, place: Place, { wants, facts, places }: Into & Reading): Promise<void> {
  await readOf(session, place, { documents: wants.documents.get(place.service), wants, facts });
  if (wants.documents.size < 2 && wants.documents.has(place.service)) return;
  // Others' documents, where a unit is of a service and reads what is another's.
  for (const [service, documents] of [...wants.documents].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const other = service === place.service ? undefined : await places.known(service);
    if (other !== undefined) await readOf(session, other, { documents, wants: undefined, facts });
  }
}

interface Of {
  readonly documents: ReadonlyMap<string, WantedDocument> | undefined;
  readonly wants: Wants | undefined;
  readonly facts: Facts;
}

async function readOf(session: Session, { service, texts }: Place, { documents, wants, facts }: Of): Promise<void> {
  const wanted = [...(documents?.values() ?? [])].sort(byPlace);
  const lanes = [...(wants?.lanes.values() ?? [])];
  if (wanted.length + lanes.length === 0) return;
  const versions = new Map<string, number>();
  facts.versions.set(service, versions);
  const rows = await session.rows(
    texts.of("touched", `${documentsText} UNION ALL ${lanesText}`),
    textArray(wanted.map(({ type }) => type)),
    textArray(wanted.map(({ id }) => id)),
    plainArray(wanted.map(({ written }) => written)),
    textArray(lanes.map(({ consumer }) => consumer)),
    textArray(lanes.map(({ lane }) => lane)),
  );
  for (const [of, id, number] of rows as [string, string, number][]) {
    if (number < 0) facts.held.set(laneKey(of, id), -number);
    else versions.set(documentKey({ type: of, id }), number);
  }
}

/** Any order will do, as long as it is the same everywhere. */
function byPlace(a: WantedDocument, b: WantedDocument): number {
  if (a.type !== b.type) return a.type < b.type ? -1 : 1;
  return a.id < b.id ? -1 : 1;
}

async function readHolders(session: Session, { service, texts }: Place, { wants, facts }: Into): Promise<void> {
  const values = [...wants.values.values()];
  const rows = await session.rows(
    texts.of(
      "holders",
      `SELECT w.n::int, u.id FROM unnest($1::text[], $2::text[], $3::bytea[]) WITH ORDINALITY AS w(type, field, value, n)
       JOIN $schema.mr_document_unique AS u ON u.type = w.type AND u.field = w.field AND u.value = w.value`,
    ),
    values.map(({ type }) => type),
    values.map(({ entry }) => entry.field),
    values.map(({ entry }) => indexBytes(entry.value)),
  );
  for (const [n, id] of rows as [number, string][]) {
    const { type, entry } = values[n - 1] as (typeof values)[number];
    facts.holders.set(`${service}/${uniqueKey(type, entry)}`, id);
  }
}

async function readStreams(session: Session, { texts }: Place, { wants, facts }: Into): Promise<void> {
  const streams = [...wants.streams].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, stream]) => stream);
  const rows = await session.rows(
    texts.of(
      "streams",
      `SELECT w.topic, w.key, s.version FROM unnest($1::text[], $2::text[]) AS w(topic, key)
       CROSS JOIN LATERAL (SELECT s.version FROM $schema.mr_streams AS s
         WHERE s.topic = w.topic AND s.key = w.key FOR UPDATE) AS s`,
    ),
    streams.map(({ topic }) => topic),
    streams.map(({ key }) => key),
  );
  for (const [topic, key, version] of rows as [string, string, number][])
    facts.streams.set(streamKey({ topic, key }), version);
}

async function readEntries(session: Session, { texts }: Place, { wants, facts }: Into): Promise<void> {
  const rows = await session.rows(
    texts.of(
      "entries",
      `SELECT entry, attempt, redrives, state IN ('parked', 'running'), holds, consumer, lane FROM $schema.mr_lane_entries
       WHERE entry = ANY($1::bigint[]) ORDER BY entry FOR UPDATE`,
    ),
    [...wants.entries],
  );
  for (const row of rows) {
    const [entry, attempt, redrives, runs, holds, consumer, lane] = row as EntryColumns;
    facts.entries.set(entry, { attempt, redrives, runs, holds, consumer, lane });
  }
}

async function readAmended(session: Session, { texts }: Place, { wants: { letters }, facts }: Into): Promise<void> {
  const rows = await session.rows(
    texts.of(
      "amended",
      `SELECT w.n::int, a.id FROM unnest($1::text[], $2::text[], $3::int[], $4::bigint[]) WITH ORDINALITY
         AS w(consumer, topic, partition, "offset", n) JOIN $schema.mr_amendments AS a USING (consumer, topic, partition, "offset")`,
    ),
    letters.map(({ consumer }) => amendedAs(consumer)),
    letters.map(({ record }) => record.topic),
    letters.map(({ record }) => record.partition),
    letters.map(({ record }) => record.offset),
  );
  for (const [n, id] of rows as [number, string | null][])
    facts.amended.set(letters[n - 1] as NewEntry, { id: id ?? undefined });
}

async function readTimers(session: Session, { texts }: Place, { wants, facts }: Into): Promise<void> {
  const rows = await session.rows(
    texts.of(
      "timers",
      "SELECT timer, name FROM $schema.mr_timers WHERE timer = ANY($1::bigint[]) ORDER BY timer FOR UPDATE",
    ),
    [...wants.timers],
  );
  for (const [timer, name] of rows as [number, string | null][]) facts.timers.set(timer, name);
}

async function readSchedules(session: Session, { texts }: Place, { wants, facts }: Into): Promise<void> {
  const rows = await session.rows(
    texts.of(
      "schedules",
      "SELECT schedule, next FROM $schema.mr_schedules WHERE schedule = ANY($1::text[]) ORDER BY schedule FOR UPDATE",
    ),
    [...wants.schedules],
  );
  for (const [schedule, next] of rows as [string, number | null][]) facts.schedules.set(schedule, next);
}

async function readOperations(session: Session, { texts }: Place, { wants, facts }: Into): Promise<void> {
  const { operations } = wants;
  const keyed = operations.flatMap(({ idempotency }) => (idempotency === undefined ? [] : [idempotency]));
  const rows = await session.rows(
    texts.of(
      "operations",
      `SELECT scope, idempotency, ${operationColumns} FROM $shared.mr_operations WHERE operation = ANY($1::text[])
         OR (scope, idempotency) IN (SELECT * FROM unnest($2::text[], $3::text[]))`,
    ),
    operations.map(({ id }) => id),
    keyed.map(({ scope }) => scope),
    keyed.map(({ key }) => key),
  );
  for (const [scope, key, ...columns] of rows) {
    const operation = decodeOperation(operationRow(columns));
    facts.operations.set(operation.id, operation);
    if (scope !== null) facts.idempotent.set(idempotencyKey({ scope: scope as string, key: key as string }), operation);
  }
}

async function readIdentities(session: Session, place: Place, { wants, facts }: Into): Promise<void> {
  const records = [...wants.named.values()];
  const rows = await session.rows(
    place.texts.of(
      "identities",
      `SELECT i.source, i.id, i.digest FROM unnest($1::text[], $2::text[]) AS w(source, id)
       JOIN $schema.mr_identities AS i ON i.source = w.source AND i.id = w.id`,
    ),
    records.map(({ source }) => source),
    records.map(({ id }) => id),
  );
  for (const [source, id, digest] of rows as [string, string, string][])
    facts.digests.set(eventKey({ source, id }), digest);
  // Ids that Millrace makes are UUIDs: one of those may be in use without anybody having chosen it.
  const made = records.filter((record) => isUuid(record.id) && !facts.digests.has(eventKey(record)));
  if (made.length === 0) return;
  for (const key of await inOutbox(session, place, made)) facts.digests.set(key, "");
}

async function readSent(session: Session, place: Place, { wants, facts }: Into): Promise<void> {
  for (const key of await inOutbox(session, place, wants.sent)) facts.sent.add(key);
}

/** Those of the records that commits have left to be sent, as far back as that is kept. */
async function inOutbox(session: Session, { texts }: Place, records: readonly NewRecord[]): Promise<readonly string[]> {
  const rows = await session.rows(
    texts.of(
      "sent",
      `SELECT DISTINCT o.source, o.id FROM unnest($1::text[], $2::text[]) AS w(source, id)
       JOIN $schema.mr_outbox AS o ON o.id = w.id AND o.source = w.source`,
    ),
    records.map(({ source }) => source),
    records.map(({ id }) => id),
  );
  return (rows as [string, string][]).map(([source, id]) => eventKey({ source, id }));
}

type EntryColumns = [
  entry: number,
  attempt: number,
  redrives: number,
  runs: boolean,
  holds: boolean,
  consumer: string,
  lane: string,
];
