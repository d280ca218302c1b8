import type { RecordPlace } from "../log/log.js";
import { amendedAs } from "../store/builds.js";
import { decodeEntry, type EntryRow } from "../store/rows.js";
import type { LaneEntry } from "../store/unit.js";
import type { Acting, LaneName } from "./acting.js";
import { entryColumns } from "./entry-reads.js";
import type { ServicePlace } from "./install.js";
import { amendmentLock, Locks, laneLock } from "./locks.js";

/** A lane entry under its lane's lock, and the event as the log has it. */
export interface Letter extends LaneEntry {
  readonly event: { readonly source: string; readonly id: string };
}

/** Lane entries of one service, with the same events where they wait in lanes of other builds of their views. */
export interface Letters {
  readonly found: ReadonlyMap<number, Letter>;
  siblingsOf(letter: Letter): readonly Letter[];
}

type LetterRow = EntryRow & RecordPlace & { readonly source: string; readonly id: string };

const columns = entryColumns
  .split(", ")
  .map((name) => `e.${name}`)
  .join(", ");

/**
 * What becomes of an event for one build of a view becomes of it for all: of projections the siblings are locked too.
 * Nobody changes these entries while the transaction is under way.
 */
export async function lockLetters(acting: Acting, place: ServicePlace, entries: readonly number[]): Promise<Letters> {
  const locked = new Set<string>();
  let rows = await readLetters(acting, place, { entries, lock: "" });
  for (;;) {
    const free = rows.filter((row) => !locked.has(nameOf(row)));
    if (free.length === 0) return gathered(rows, entries);
    const locks = new Locks();
    for (const { consumer, lane, ...at } of free) {
      locks.alone(laneLock(consumer, lane));
      // A dead letter of another build may be on its way to disk.
      if (consumer !== amendedAs(consumer)) locks.alone(amendmentLock(consumer, at));
    }
    await locks.take(acting.session);
    for (const row of free) locked.add(nameOf(row));
    // What they are now counts; entries may have come for lanes that are not locked yet.
    rows = await readLetters(acting, place, { entries, lock: "FOR UPDATE OF e" });
  }
}

async function readLetters(
  acting: Acting,
  place: ServicePlace,
  { entries, lock }: { readonly entries: readonly number[]; readonly lock: string },
): Promise<LetterRow[]> {
  return acting.session.objects<LetterRow>(
    `WITH asked AS (SELECT * FROM ${place.schema}.mr_lane_entries WHERE entry = ANY($1::bigint[]))
     SELECT ${columns}, e.source, e.id, e.topic, e.partition, e."offset" FROM ${place.schema}.mr_lane_entries AS e WHERE e.entry IN (
       SELECT entry FROM asked
       UNION
       SELECT s.entry FROM asked AS a
         JOIN ${place.schema}.mr_consumers AS c ON starts_with(c.consumer, split_part(a.consumer, '@', 1) || '@')
         JOIN ${place.schema}.mr_lane_entries AS s
           ON s.consumer = c.consumer AND s.topic = a.topic AND s.partition = a.partition AND s."offset" = a."offset"
       WHERE strpos(a.consumer, '@') > 0)
     ORDER BY e.entry ${lock}`,
    entries,
  );
}

function gathered(rows: readonly LetterRow[], entries: readonly number[]): Letters {
  const letters = rows.map((row): Letter => ({ ...decodeEntry(row), event: { source: row.source, id: row.id } }));
  const asked = new Set(entries);
  const byEvent = new Map<string, Letter[]>();
  for (const letter of letters) {
    const place = eventOf(letter);
    const same = byEvent.get(place);
    if (same === undefined) byEvent.set(place, [letter]);
    else same.push(letter);
  }
  return {
    found: new Map(letters.filter(({ entry }) => asked.has(entry)).map((letter) => [letter.entry, letter])),
    siblingsOf: (letter) =>
      letter.consumer === amendedAs(letter.consumer)
        ? []
        : (byEvent.get(eventOf(letter)) ?? []).filter(({ entry }) => entry !== letter.entry),
  };
}

function eventOf({ consumer, record: { topic, partition, offset } }: LaneEntry): string {
  return JSON.stringify([amendedAs(consumer), topic, partition, offset]);
}

/** Gives dead letters another run, with a fresh count of attempts. They hold their lanes while they run again. */
export async function redriveLetters(
  acting: Acting,
  place: ServicePlace,
  { entries, at }: { readonly entries: readonly number[]; readonly at: number },
): Promise<void> {
  await acting.change(
    place,
    `UPDATE $schema.mr_lane_entries SET state = 'parked', holds = true, due = $2, attempt = 0, redrives = redrives + 1
     WHERE entry = ANY($1::bigint[])`,
    entries,
    at,
  );
}

/** The first entries that hold their lanes run next, where they had been following others. */
export async function freeHeads(
  acting: Acting,
  place: ServicePlace,
  { lanes, at }: { readonly lanes: readonly LaneName[]; readonly at: number },
): Promise<void> {
  await acting.change(
    place,
    `UPDATE $schema.mr_lane_entries SET state = 'parked', due = $3 WHERE state = 'following' AND entry IN (
       SELECT min(e.entry) FROM unnest($1::text[], $2::text[]) AS l(consumer, lane)
         JOIN $schema.mr_lane_entries AS e ON e.consumer = l.consumer AND e.lane = l.lane AND e.holds
       GROUP BY l.consumer, l.lane)`,
    lanes.map(({ consumer }) => consumer),
    lanes.map(({ lane }) => lane),
    at,
  );
}

/** Somebody else has dealt with the entries of jobs. */
export async function leaveJobs(acting: Acting, entries: readonly number[], detail: string): Promise<void> {
  await acting.changeShared(
    `UPDATE $shared.mr_job_items SET state = 'gone', detail = $2
     WHERE entry = ANY($1::bigint[]) AND state IN ('pending', 'redriven')`,
    entries,
    detail,
  );
}

const nameOf = ({ consumer, lane }: LaneName) => JSON.stringify([consumer, lane]);
