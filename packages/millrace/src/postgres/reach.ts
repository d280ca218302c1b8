import { isDone } from "../store/position.js";
import { decodePosition, decodeSubscriptions } from "../store/rows.js";
import { type EntryAt, reachOf } from "../store/standing.js";
import type { EventPlace, Reach } from "../store/unit.js";
import type { Place } from "./places.js";
import { positionColumns, positionRow } from "./position-rows.js";
import type { Row, Session } from "./session.js";

const pending: Reach = { type: "pending" };

/** What a consumer has made of an event, by its offset, or by its identity where that is not known. */
export async function readReach(
  session: Session,
  { texts }: Place,
  { consumer, event }: { readonly consumer: string; readonly event: EventPlace },
): Promise<Reach> {
  const { topic, partition, offset, type } = event;
  const registered = await session.row(
    texts.of("known_consumer", "SELECT topics, number FROM $schema.mr_consumers WHERE consumer = $1"),
    consumer,
  );
  if (registered === undefined) return pending;
  const heard = decodeSubscriptions(registered[0] as string).find((one) => one.topic === topic);
  if (heard?.types.includes(type) !== true) return { type: "reached" };
  const row = await session.row(
    texts.of(
      "place",
      `SELECT ${positionColumns}, pass FROM $schema.mr_positions WHERE consumer = $1 AND topic = $2 AND partition = $3`,
    ),
    consumer,
    topic,
    partition,
  );
  if (row === undefined) return pending;
  const position = decodePosition(positionRow(row));
  const done =
    offset >= 0
      ? isDone(position, offset)
      : await inInbox(session, { texts }, [registered[1], row.at(-1), event.source, event.id]);
  if (!done) return pending;
  const entry = await findEntry(session, { texts }, consumer, event);
  const head = entry?.state === "following" ? await headOf(session, { texts }, consumer, entry.lane) : undefined;
  return reachOf(entry, head);
}

type Texted = Pick<Place, "texts">;

async function inInbox(session: Session, { texts }: Texted, values: unknown[]): Promise<boolean> {
  const sql =
    "SELECT 1 FROM $schema.mr_inbox WHERE consumer = $1 AND generation = $2 AND source = $3 AND id = $4 LIMIT 1";
  return (await session.row(texts.of("received", sql), ...values)) !== undefined;
}

async function findEntry(session: Session, { texts }: Texted, consumer: string, event: EventPlace) {
  const { topic, partition, offset, source, id } = event;
  const columns = "SELECT entry, state, lane FROM $schema.mr_lane_entries WHERE consumer = $1";
  const row =
    offset >= 0
      ? await session.row(
          texts.of("entryAt", `${columns} AND topic = $2 AND partition = $3 AND "offset" = $4`),
          ...[consumer, topic, partition, offset],
        )
      : await session.row(
          texts.of("entryOf", `${columns} AND topic = $2 AND source = $3 AND id = $4`),
          ...[consumer, topic, source, id],
        );
  return row && entryOf(row);
}

async function headOf(session: Session, { texts }: Texted, consumer: string, lane: string) {
  const row = await session.row(
    texts.of(
      "holder",
      `SELECT entry, state, lane FROM $schema.mr_lane_entries WHERE consumer = $1 AND lane = $2 AND holds
       ORDER BY entry LIMIT 1`,
    ),
    consumer,
    lane,
  );
  return row && entryOf(row);
}

function entryOf([entry, state, lane]: Row): EntryAt & { readonly lane: string } {
  return { entry, state, lane } as EntryAt & { readonly lane: string };
}
