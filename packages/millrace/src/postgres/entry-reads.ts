import { type DeadGroupRow, decodeDeadGroup } from "../store/dead-groups.js";
import { recordFilter } from "../store/event-filter.js";
import type { DeadGroup, EntryQuery } from "../store/inspect.js";
import { decodeEntry, type EntryRow } from "../store/rows.js";
import type { LaneEntry } from "../store/unit.js";
import type { Sight } from "./sight.js";

/** What {@link decodeEntry} needs of a row. */
export const entryColumns = "entry, consumer, lane, home, state, holds, attempt, due, redrives, since, failure, record";

const pageRows = 200;

/** Lane entries of all services, by number. */
export async function readEntries(sight: Sight, query: EntryQuery, limit: number): Promise<LaneEntry[]> {
  const conditions = ["entry > $1"];
  const values: unknown[] = [query.afterEntry ?? 0];
  for (const name of ["consumer", "state", "fingerprint", "lane"] as const) {
    if (query[name] === undefined) continue;
    values.push(query[name]);
    conditions.push(`${name} = $${values.length}`);
  }
  const select = `SELECT ${entryColumns} FROM $schema.mr_lane_entries WHERE ${conditions.join(" AND ")} ORDER BY entry LIMIT ${pageRows}`;
  const fits = recordFilter(query.event);
  const found: LaneEntry[] = [];
  while (found.length < limit) {
    const page = await sight.all<EntryRow>(select, { order: "entry", limit: pageRows }, ...values);
    for (const row of page) {
      const entry = decodeEntry(row);
      if (found.length < limit && fits(entry.record)) found.push(entry);
    }
    const last = page.at(-1);
    if (last === undefined || page.length < pageRows) break;
    values[0] = last.entry;
  }
  return found;
}

/** One lane entry. */
export async function readEntry(sight: Sight, entry: number): Promise<LaneEntry | undefined> {
  const select = `SELECT ${entryColumns} FROM $schema.mr_lane_entries WHERE entry = $1`;
  const [row] = await sight.numbered<EntryRow>(entry, select, entry);
  return row === undefined ? undefined : decodeEntry(row);
}

/** Dead letters by fingerprint, the largest group first. */
export async function readDeadGroups(sight: Sight, consumer: string | undefined, limit: number): Promise<DeadGroup[]> {
  if (sight.places.length === 0 || limit === 0) return [];
  // Those of one lane are counted where they are: what is put together is small.
  const lanes = sight.union(
    `SELECT fingerprint, consumer, lane, count(*) AS n, min(since) AS first, max(since) AS last, min(entry) AS example
     FROM $schema.mr_lane_entries WHERE state = 'dead' AND ($1::text IS NULL OR consumer = $1) GROUP BY fingerprint, consumer, lane`,
  );
  const rows = await sight.rows<DeadGroupRow>(
    `SELECT fingerprint, sum(n)::bigint AS n, count(*) AS keys, json_agg(DISTINCT consumer)::text AS consumers,
       min(first) AS first, max(last) AS last, min(example) AS example
     FROM (${lanes}) AS lanes GROUP BY fingerprint ORDER BY n DESC, example LIMIT $2`,
    consumer ?? null,
    limit,
  );
  const groups: DeadGroup[] = [];
  for (const row of rows) groups.push(decodeDeadGroup(row, (await readEntry(sight, row.example)) as LaneEntry));
  return groups;
}
