import type { LogRecord } from "../log/log.js";
import type { Snapshot, StreamName, StreamPage, StreamQuery } from "../store/stream.js";
import type { ServicePlace } from "./install.js";
import { decodeOutboxRow, type OutboxRow } from "./outbox-rows.js";
import type { Session } from "./session.js";

const recordsMax = 1_000;
const charactersMax = 1024 * 1024;

type EventRow = OutboxRow & { readonly sequence: number; readonly committed: number; readonly characters: number };

/** A page of a stream. It ends before its limit when its events are large. */
export async function readStream(session: Session, { schema }: ServicePlace, query: StreamQuery): Promise<StreamPage> {
  const { topic, key, after, limit } = query;
  // The database stops reading where the page ends: what is summed is what comes before a row.
  const rows = await session.objects<EventRow>(
    `SELECT * FROM (
       SELECT *, sum(length(record)) OVER (ORDER BY sequence ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS characters
       FROM (SELECT topic, partition, key, id, source, correlation, committed, sequence, record
         FROM ${schema}.mr_stream_events WHERE topic = $1 AND key = $2 AND sequence > $3 ORDER BY sequence LIMIT $4) AS e) AS s
     WHERE coalesce(characters, 0) < $5 ORDER BY sequence`,
    ...[topic, key, after, Math.min(Math.max(0, limit), recordsMax), charactersMax],
  );
  // Read last, so that it is not below the page's events.
  const version = await streamVersion(session, schema, { topic, key });
  return { records: rows.map(decode), version };
}

/** A stream's kept state. */
export async function readSnapshot(
  session: Session,
  { schema }: ServicePlace,
  at: StreamName,
): Promise<Snapshot | undefined> {
  const { topic, key } = at;
  const [row] = await session.objects<Omit<Snapshot, "topic" | "key">>(
    `SELECT version, fold, state AS text FROM ${schema}.mr_snapshots WHERE topic = $1 AND key = $2`,
    topic,
    key,
  );
  return row && { topic, key, ...row };
}

async function streamVersion(session: Session, schema: string, { topic, key }: StreamName): Promise<number> {
  const row = await session.row(`SELECT version FROM ${schema}.mr_streams WHERE topic = $1 AND key = $2`, topic, key);
  return (row?.[0] as number | undefined) ?? 0;
}

/** An event as the log has it, but for its place there. */
function decode(row: EventRow): LogRecord {
  const { named: _, data, correlationId, ...record } = decodeOutboxRow(row);
  const text = typeof data === "string" ? data : undefined;
  return {
    ...record,
    appended: row.committed,
    correlationId: correlationId ?? record.id,
    data: text === undefined ? undefined : JSON.parse(text),
    bytes: typeof data === "string" ? undefined : data,
  };
}
