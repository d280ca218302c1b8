import { encodeRecord } from "../../../store/rows.js";
import type { EntryChange, EntryFailure } from "../../../store/unit.js";
import type { Applying } from "./applying.js";

/** Adds, changes and removes lane entries. Returns the numbers of the new ones, in their order. */
export async function applyLanes(applying: Applying): Promise<readonly number[]> {
  const { staged } = applying;
  const added = staged.entries.length > 0 ? await insert(applying) : [];
  if (staged.changes.size > 0) await change(applying);
  if (staged.freed.size > 0) await promote(applying);
  return added;
}

async function insert({ session, place, staged, now }: Applying): Promise<readonly number[]> {
  const all = staged.entries.map(({ entry, freed }) => ({ ...entry, freed }));
  const rows = await session.rows(
    place.texts.of(
      "entry",
      `INSERT INTO $schema.mr_lane_entries(consumer, lane, home, state, holds, attempt, due, redrives, since, failure,
         fingerprint, topic, partition, "offset", source, id, record)
       SELECT * FROM unnest($1::text[], $2::text[], $3::int[], $4::text[], $5::bool[], $6::int[], $7::bigint[], $8::int[],
         $9::bigint[], $10::text[], $11::text[], $12::text[], $13::int[], $14::bigint[], $15::text[], $16::text[], $17::text[])
       RETURNING entry`,
    ),
    all.map(({ consumer }) => consumer),
    all.map(({ lane }) => lane),
    all.map(({ home }) => home),
    all.map(({ freed, state }) => (freed ? "parked" : state)),
    all.map(({ holds }) => holds),
    all.map(({ attempt }) => attempt),
    all.map(({ freed, due }) => (freed ? now : whole(due))),
    all.map(({ redrives }) => redrives),
    all.map(({ since }) => whole(since)),
    all.map(({ failure }) => failureText(failure)),
    all.map(({ failure }) => failure?.fingerprint ?? null),
    all.map(({ record }) => record.topic),
    all.map(({ record }) => record.partition),
    all.map(({ record }) => record.offset),
    all.map(({ record }) => record.source),
    all.map(({ record }) => record.id),
    all.map(({ record }) => encodeRecord(record)),
  );
  return rows.map(([entry]) => entry as number);
}

async function change({ session, place, staged }: Applying): Promise<void> {
  const done: number[] = [];
  const changed: (readonly [number, EntryChange])[] = [];
  for (const [entry, to] of staged.changes) {
    if (to === undefined) done.push(entry);
    else changed.push([entry, to]);
  }
  if (done.length > 0)
    await session.rows(
      place.texts.of("entryDone", "DELETE FROM $schema.mr_lane_entries WHERE entry = ANY($1::bigint[])"),
      done,
    );
  if (changed.length === 0) return;
  await session.rows(
    place.texts.of(
      "entryChanged",
      `UPDATE $schema.mr_lane_entries AS e SET state = w.state, holds = w.holds, attempt = w.attempt, due = w.due,
         failure = w.failure, fingerprint = w.fingerprint
       FROM unnest($1::bigint[], $2::text[], $3::bool[], $4::int[], $5::bigint[], $6::text[], $7::text[])
         AS w(entry, state, holds, attempt, due, failure, fingerprint) WHERE e.entry = w.entry`,
    ),
    changed.map(([entry]) => entry),
    changed.map(([, { state }]) => state),
    changed.map(([, { holds }]) => holds),
    changed.map(([, { attempt }]) => attempt),
    changed.map(([, { due }]) => whole(due)),
    changed.map(([, { failure }]) => failureText(failure)),
    changed.map(([, { failure }]) => failure?.fingerprint ?? null),
  );
}

/** Where a lane's head has gone, the next one that holds it is the head, and runs at once. */
async function promote({ session, place, staged, now }: Applying): Promise<void> {
  const lanes = [...staged.freed.values()];
  await session.rows(
    place.texts.of(
      "promote",
      `UPDATE $schema.mr_lane_entries SET state = 'parked', due = $3 WHERE state = 'following' AND entry IN (
         SELECT (SELECT min(e.entry) FROM $schema.mr_lane_entries AS e
           WHERE e.consumer = w.consumer AND e.lane = w.lane AND e.holds)
         FROM unnest($1::text[], $2::text[]) AS w(consumer, lane))`,
    ),
    lanes.map(({ consumer }) => consumer),
    lanes.map(({ lane }) => lane),
    now,
  );
}

const failureText = (failure: EntryFailure | undefined) => (failure === undefined ? null : JSON.stringify(failure));

/** Waits with jitter end at parts of a millisecond; never early. */
const whole = (ms: number) => Math.ceil(ms);
