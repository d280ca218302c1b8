import type { DeadGroup } from "../store/inspect.js";
import { decodeEntry, type EntryRow } from "../store/rows.js";
import { all, first } from "./query.js";
import type { Database } from "./sqlite.js";

interface GroupRow {
  readonly fingerprint: string | null;
  readonly n: number;
  readonly keys: number;
  readonly consumers: string;
  readonly first: number;
  readonly last: number;
  readonly example: number;
}

/** Dead letters by fingerprint, the largest group first. */
export function readDeadGroups(database: Database, consumer: string | undefined, limit: number): DeadGroup[] {
  const rows = all<GroupRow>(
    database,
    `SELECT fingerprint, count(*) AS n, count(DISTINCT json_array(consumer, lane)) AS keys,
       json_group_array(DISTINCT consumer) AS consumers, min(since) AS first, max(since) AS last, min(entry) AS example
     FROM mr_lane_entries WHERE state = 'dead' AND consumer = ifnull(?, consumer)
     GROUP BY fingerprint ORDER BY n DESC, example LIMIT ?`,
    consumer ?? null,
    limit,
  );
  return rows.map(({ fingerprint, n, keys, consumers, first: since, last, example }) => ({
    fingerprint: fingerprint ?? undefined,
    count: n,
    keys,
    consumers: (JSON.parse(consumers) as string[]).sort(),
    first: since,
    last,
    example: decodeEntry(
      first<EntryRow>(database, "SELECT * FROM mr_lane_entries WHERE entry = ?", example) as EntryRow,
    ),
  }));
}
