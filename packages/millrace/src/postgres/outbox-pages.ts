import type { NewRecord } from "../log/log.js";
import type { OutboxLimit, OutboxPage } from "../store/outbox.js";
import { decodeOutboxRow } from "./outbox-rows.js";
import type { Row, Session } from "./session.js";
import { invisible, type OpenWindow, type Snapshot, type Window } from "./window.js";

/** A page, and what is to be noted of it. */
export interface WindowPage extends OutboxPage {
  readonly window: OpenWindow;
  /** It ends its window. */
  readonly closes: boolean;
}

/** A shard as one process has it. */
export interface Shard {
  readonly schema: string;
  readonly owner: string;
  readonly epoch: number;
  readonly leaseMs: number;
}

/** Where the database was when no window was opened. */
export interface Nothing {
  readonly cluster: string;
  readonly snapshot: Snapshot;
  /** Up to where the row says that windows have come; undefined when it is another's. */
  readonly stored: Snapshot | undefined;
}

/** What a page is read of. */
export interface PageOf<Of extends Window> {
  readonly window: Of;
  readonly limit: OutboxLimit;
}

/** Windows that have more rows than this are read in the order of their numbers: finding all of their rows once for each page would cost too much. */
const windowRowsMax = 20_000;
const columns = "seq, committed, topic, partition, key, id, source, correlation, record";

/** As many rows of `from` as the limit allows; `$1` records, `$2` bytes. */
function bounded(from: string): string {
  // Only lengths of large values are looked at before it is known which rows are in the page.
  return `SELECT found, waited, ${columns} FROM (
    SELECT count(*) OVER () AS found,
      greatest(0, (extract(epoch FROM clock_timestamp()) * 1000)::bigint - min(committed) OVER ()) AS waited,
      coalesce(sum(octet_length(record)) OVER (ORDER BY seq ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) AS before, ${columns}
    FROM (${from} ORDER BY seq LIMIT $1::integer + 1) AS first) AS page
    WHERE before < $2 ORDER BY seq LIMIT $1`;
}

/** Rows that are not visible in a snapshot, `$3` and `$4`: two searches of the index on xid. */
function invisibleRows(schema: string, condition: string): string {
  return `SELECT ${columns} FROM ${schema}.mr_outbox WHERE xid >= $3::xid8 AND ${condition}
    UNION ALL SELECT ${columns} FROM ${schema}.mr_outbox WHERE xid = ANY($4::xid8[]) AND xid < $3::xid8 AND ${condition}`;
}

/**
 * Opens the next window, when there is anything for one, and reads its first page. The window is on disk when this
 * resolves. {@link Nothing} when there is nothing, or the lease, the cluster or the window before are not what they were.
 */
export async function openWindow(
  session: Session,
  shard: Shard,
  { window, limit }: PageOf<Window>,
): Promise<WindowPage | Nothing> {
  const { schema, owner, epoch, leaseMs } = shard;
  const before = window.current ?? window.previous;
  const { from, among } = invisible(before);
  const rows = await session.rows(
    `WITH now AS MATERIALIZED (
       SELECT pg_current_snapshot() AS snapshot, (SELECT system_identifier::text FROM pg_control_system()) AS cluster,
         (SELECT coalesce(current, previous)::text FROM ${schema}.mr_relay WHERE owner = $5 AND epoch = $6) AS stored),
     page AS MATERIALIZED (${bounded(invisibleRows(schema, "pg_visible_in_snapshot(xid, (SELECT snapshot FROM now))"))}),
     opened AS (UPDATE ${schema}.mr_relay AS r SET previous = coalesce(r.current, r.previous), current = now.snapshot,
         position = 0, expires = clock_timestamp() + $8::integer * interval '1 ms'
       FROM now WHERE r.owner = $5 AND r.epoch = $6 AND coalesce(r.current, r.previous)::text = $7 AND r.cluster = now.cluster
         AND pg_snapshot_xmax(now.snapshot) >= pg_snapshot_xmax($7::pg_snapshot) AND EXISTS (SELECT FROM page)
       RETURNING 1 AS done)
     SELECT now.cluster, now.snapshot::text, now.stored, opened.done, page.* FROM now
       LEFT JOIN opened ON true LEFT JOIN page ON opened.done = 1 ORDER BY seq`,
    ...[limit.recordsMax, limit.bytesMax, from, arrayOf(among), owner, epoch, before, leaseMs],
  );
  const [cluster, snapshot, stored, done] = rows[0] as [string, Snapshot, Snapshot | null, number | null];
  if (done === null) return { cluster, snapshot, stored: stored ?? undefined };
  const opened = { cluster, previous: before, current: snapshot, position: 0 };
  return pageOf(
    rows.map((row) => row.slice(4)),
    opened,
  );
}

const inWindow = "seq > $5 AND pg_visible_in_snapshot(xid, $6::pg_snapshot)";

/** Reads the first page of the window under way that has not been sent. */
export async function readPage(
  session: Session,
  schema: string,
  { window, limit }: PageOf<OpenWindow>,
): Promise<WindowPage> {
  const { from, among } = invisible(window.previous);
  const place = [from, arrayOf(among), window.position, window.current];
  const large = window.large === true || (await isLarge(session, schema, place));
  const rows = large
    ? `SELECT ${columns} FROM ${schema}.mr_outbox WHERE (xid >= $3::xid8 OR xid = ANY($4::xid8[])) AND ${inWindow}`
    : invisibleRows(schema, inWindow);
  return pageOf(await session.rows(bounded(rows), limit.recordsMax, limit.bytesMax, ...place), { ...window, large });
}

async function isLarge(session: Session, schema: string, place: readonly unknown[]): Promise<boolean> {
  const rows = await session.row(
    `SELECT count(*) FROM (SELECT FROM (${invisibleRows(schema, inWindow)}) AS w LIMIT $1::integer + $2::integer) AS counted`,
    ...[windowRowsMax, 1, ...place],
  );
  return (rows?.[0] as number) > windowRowsMax;
}

const arrayOf = (xids: readonly string[]) => `{${xids.join(",")}}`;

function pageOf(rows: readonly Row[], window: OpenWindow): WindowPage {
  const [found, waitedMs] = (rows[0] ?? [0, 0]) as [number, number];
  const through = (rows.at(-1)?.[2] as number | undefined) ?? window.position;
  return { records: rows.map(recordOf), through, waitedMs, window, closes: found === rows.length };
}

function recordOf(row: Row): NewRecord {
  const [topic, partition, key, id, source, correlation, record] = row.slice(4) as [
    ...[string, number, string, string, string, string, string],
  ];
  return decodeOutboxRow({ topic, partition, key, id, source, correlation, record });
}
