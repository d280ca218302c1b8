import type pg from "pg";
import type { OrderJudge } from "./trial-order.js";

/** Where the last page ended. */
type Cursor = readonly [string, string];

interface Naive {
  readonly start: Cursor;
  readonly sql: (table: string) => string;
}

const page = "LIMIT 500";

/** Ways to follow an outbox that are found in the field. Each keeps a position in a column, and takes what is behind it. */
export const naive = {
  /** Numbers are handed out before the commit: a slow transaction's events appear behind the position. */
  "by id": {
    start: ["0", "0"],
    sql: (table) =>
      `SELECT key, id, seq::text AS one, '0' AS other FROM ${table} WHERE seq > $1::bigint AND $2 = '0' ORDER BY seq ${page}`,
  },
  /** Nothing is lost below the oldest transaction under way, but transactions are numbered before they wait for a row's lock. */
  "by transaction and id": {
    start: ["0", "0"],
    sql: (table) => `SELECT key, id, xid::text AS one, seq::text AS other FROM ${table}
      WHERE (xid, seq) > ($1::xid8, $2::bigint) AND xid < pg_snapshot_xmin(pg_current_snapshot()) ORDER BY xid, seq ${page}`,
  },
  /** Times are taken before the commit, too, and many events have the same. */
  "by time": {
    start: ["0", "0"],
    sql: (table) => `SELECT key, id, committed::text AS one, seq::text AS other FROM ${table}
      WHERE (committed, seq) > ($1::bigint, $2::bigint) ORDER BY committed, seq ${page}`,
  },
} as const satisfies Readonly<Record<string, Naive>>;

/** Follows the outbox until nothing more is there after `ended` says so. */
export async function follow(
  pool: pg.Pool,
  { table, way, judge, ended }: { table: string; way: Naive; judge: OrderJudge; ended: () => boolean },
): Promise<void> {
  const text = way.sql(table);
  let [one, other] = way.start;
  for (;;) {
    const over = ended();
    const { rows } = await pool.query(text, [one, other]);
    for (const row of rows) judge.heard(row.key, Number(row.id.split("-")[1]));
    const last = rows.at(-1);
    if (last === undefined && over) return;
    if (last !== undefined) [one, other] = [last.one, last.other];
  }
}
