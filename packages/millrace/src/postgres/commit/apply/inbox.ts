import type { InboxRow } from "../staged.js";
import type { Applying } from "./applying.js";

/** Some of the group's events were handled before: the group runs again, and knows it. Seldom, as the log repeats itself seldom. */
export class CopiesFound extends Error {
  constructor(readonly keys: readonly string[]) {
    super("events came again");
  }
}

/**
 * Remembers the events that the group handles.
 *
 * @throws {CopiesFound}
 */
export async function applyInbox({ session, place, staged: { inbox } }: Applying): Promise<void> {
  if (inbox.size === 0) return;
  const rows = [...inbox.values()];
  const added = await session.changes(
    place.texts.of(
      "inbox",
      `INSERT INTO $schema.mr_inbox(day, consumer, generation, source, id)
       SELECT * FROM unnest($1::int[], $2::int[], $3::int[], $4::text[], $5::text[]) ON CONFLICT DO NOTHING`,
    ),
    ...columns(rows),
  );
  if (added < rows.length) throw new CopiesFound(await known([...inbox.keys()], rows, { session, place }));
}

/** Those that were there before this transaction. */
async function known(
  keys: readonly string[],
  rows: readonly InboxRow[],
  { session, place }: Pick<Applying, "session" | "place">,
): Promise<readonly string[]> {
  const found = await session.rows(
    place.texts.of(
      "known",
      `SELECT w.n::int FROM unnest($1::int[], $2::int[], $3::int[], $4::text[], $5::text[])
         WITH ORDINALITY AS w(day, consumer, generation, source, id, n)
       JOIN $schema.mr_inbox AS i ON i.day = w.day AND i.consumer = w.consumer AND i.generation = w.generation
         AND i.source = w.source AND i.id = w.id AND i.xmin <> pg_current_xact_id()::xid`,
    ),
    ...columns(rows),
  );
  return found.map(([n]) => keys[(n as number) - 1] as string);
}

function columns(rows: readonly InboxRow[]): unknown[] {
  return [
    rows.map(({ day }) => day),
    rows.map(({ number }) => number),
    rows.map(({ generation }) => generation),
    rows.map(({ source }) => source),
    rows.map(({ id }) => id),
  ];
}
