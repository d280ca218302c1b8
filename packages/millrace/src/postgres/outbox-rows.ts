import { Failure } from "../failure/failure.js";
import type { Headers, NewRecord } from "../log/log.js";
import { plainArray, textArray } from "./arrays.js";

/** A row of mr_outbox, in the order of its columns from `topic` on. */
export interface OutboxRow {
  readonly topic: string;
  readonly partition: number;
  readonly key: string;
  readonly id: string;
  readonly source: string;
  readonly correlation: string;
  /** See {@link outboxRecord}. */
  readonly record: string;
}

/** What mr_outbox.record holds: all of a record that is in no other column. Its data stays the text, or the bytes, that it was. */
interface RecordJson {
  readonly type: string;
  readonly version: number;
  readonly time: number;
  readonly root?: true;
  readonly causationId?: string;
  readonly hops: number;
  readonly headers?: Headers;
  readonly named?: true;
  readonly data?: string;
  readonly bytes?: string;
}

/** The correlation id of a record on its way: a root event's is its own id. */
export function correlationOf({ correlationId, id }: NewRecord): string {
  return correlationId ?? id;
}

/** A record as mr_outbox.record keeps it. */
export function outboxRecord(record: NewRecord): string {
  const { type, version, time, correlationId, causationId, hops, headers, named, data } = record;
  const bytes = typeof data === "string" ? undefined : data;
  return JSON.stringify({
    type,
    version,
    time,
    root: correlationId === undefined ? true : undefined,
    causationId,
    hops,
    headers,
    named: named ? true : undefined,
    data: bytes === undefined ? data : undefined,
    bytes: bytes && Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("base64"),
  } satisfies { [name in keyof RecordJson]: unknown });
}

/**
 * Leaves records in the outbox of a service, from seven arrays of parameters, as {@link outboxColumns} has them. Numbers are
 * handed out row by row, in the order of the list. `committed` is an expression.
 */
export function outboxText({ first, committed }: { readonly first: number; readonly committed: string }): string {
  const [topics, partitions, ...texts] = [0, 1, 2, 3, 4, 5, 6].map((n) => `$${first + n}`);
  return `INSERT INTO $schema.mr_outbox(topic, partition, key, id, source, correlation, committed, record)
    SELECT topic, partition, key, id, source, correlation, ${committed}, record
    FROM unnest(${topics}::text[], ${partitions}::int[], ${texts.map((text) => `${text}::text[]`).join(", ")})
      AS w(topic, partition, key, id, source, correlation, record)`;
}

/** What {@link outboxText} writes: topics, partitions, keys, ids, sources, correlations, records. */
export function outboxColumns(
  records: readonly NewRecord[],
  texts: (values: readonly string[]) => string | Buffer = textArray,
): (string | Buffer)[] {
  return [
    texts(records.map(({ topic }) => topic)),
    plainArray(records.map(({ partition }) => partition)),
    texts(records.map(({ key }) => key)),
    texts(records.map(({ id }) => id)),
    texts(records.map(({ source }) => source)),
    texts(records.map(correlationOf)),
    texts(records.map(outboxRecord)),
  ];
}

/** The record of a row of mr_outbox. */
export function decodeOutboxRow(row: OutboxRow): NewRecord {
  const { type, version, time, root, causationId, hops, headers, named, data, bytes } = parse(row);
  const { topic, partition, key, id, source, correlation } = row;
  return {
    topic,
    partition,
    id,
    source,
    type,
    version,
    key,
    time,
    correlationId: root === true ? undefined : correlation,
    causationId,
    hops,
    headers,
    data: data ?? Buffer.from(bytes ?? "", "base64"),
    named: named === true,
    offset: -1,
  };
}

function parse({ id, record }: OutboxRow): RecordJson {
  try {
    return JSON.parse(record) as RecordJson;
  } catch (cause) {
    throw new Failure("STORE_DAMAGED", `mr_outbox: the record of ${id} is not JSON; stop, and restore a backup`, {
      cause,
    });
  }
}
