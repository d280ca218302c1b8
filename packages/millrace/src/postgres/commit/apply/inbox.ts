import { plainArray, textArray } from "../../arrays.js";
import type { InboxRow } from "../staged.js";
import type { Applying } from "./applying.js";

/** Some of the group's events were handled before: the group runs again, and knows it. Seldom, as the log repeats itself seldom. */
export class CopiesFound extends Error {
  constructor(readonly keys: readonly string[]) {
    super("events came again");
  }
}

/** Remembers events, from five arrays of parameters: partitions of the inbox, consumers, generations, sources, ids. */
export function inboxText(first: number): string {
  const [days, consumers, generations, sources, ids] = [0, 1, 2, 3, 4].map((n) => `$${first + n}`);
  return `INSERT INTO $schema.mr_inbox(day, consumer, generation, source, id)
    SELECT * FROM unnest(${days}::int[], ${consumers}::int[], ${generations}::int[], ${sources}::text[], ${ids}::text[])
    ON CONFLICT DO NOTHING`;
}

/** What {@link inboxText} writes. */
export function inboxColumns(rows: readonly InboxRow[]): (string | Buffer)[] {
  return [
    plainArray(rows.map(({ day }) => day)),
    plainArray(rows.map(({ number }) => number)),
    plainArray(rows.map(({ generation }) => generation)),
    textArray(rows.map(({ source }) => source)),
    textArray(rows.map(({ id }) => id)),
  ];
}

/** Those of the group's events that were there before this transaction, which has added the others. */
export async function knownBefore({ session, place, staged: { inbox } }: Applying): Promise<readonly string[]> {
  const keys = [...inbox.keys()];
  const found = await session.rows(
    place.texts.of(
      "known",
      `SELECT w.n::int FROM unnest($1::int[], $2::int[], $3::int[], $4::text[], $5::text[])
         WITH ORDINALITY AS w(day, consumer, generation, source, id, n)
       JOIN $schema.mr_inbox AS i ON i.day = w.day AND i.consumer = w.consumer AND i.generation = w.generation
         AND i.source = w.source AND i.id = w.id AND i.xmin <> pg_current_xact_id()::xid`,
    ),
    ...inboxColumns([...inbox.values()]),
  );
  return found.map(([n]) => keys[(n as number) - 1] as string);
}
