import { type DeadGroupRow, decodeDeadGroup } from "../store/dead-groups.js";
import type { DeadGroup } from "../store/inspect.js";
import { decodeEntry, type EntryRow } from "../store/rows.js";
import { all, first } from "./query.js";
import type { Database } from "./sqlite.js";

/** Dead letters by fingerprint, the largest group first. */
export function readDeadGroups(database: Database, consumer: string | undefined, limit: number): DeadGroup[] {
  const rows = all<DeadGroupRow>(
    database,
    `SELECT fingerprint, count(*) AS n, count(DISTINCT json_array(consumer, lane)) AS keys,
       json_group_array(DISTINCT consumer) AS consumers, min(since) AS first, max(since) AS last, min(entry) AS example
     FROM mr_lane_entries WHERE state = 'dead' AND consumer = ifnull(?, consumer)
     GROUP BY fingerprint ORDER BY n DESC, example LIMIT ?`,
    consumer ?? null,
    limit,
  );
  return rows.map((row) => {
    const example = first<EntryRow>(database, "SELECT * FROM mr_lane_entries WHERE entry = ?", row.example);
    return decodeDeadGroup(row, decodeEntry(example as EntryRow));
  });
}
