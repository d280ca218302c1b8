import { amendedAs } from "../store/builds.js";
import {
  type AmendmentRow,
  decodeAmendment,
  decodeEntry,
  decodePosition,
  decodeSubscriptions,
  type EntryRow,
} from "../store/rows.js";
import type { LaneHead, Registration } from "../store/store.js";
import type { Amendment, LaneEntry, Mute, Pause, Position } from "../store/unit.js";
import type { Place } from "./places.js";
import { positionColumns, positionRow } from "./position-rows.js";
import type { Session } from "./session.js";

const entryNames = "entry, consumer, lane, home, state, holds, attempt, due, redrives, since, failure, record";

/** A consumer's registration; its positions are where it would start now. */
export async function readRegistration(
  session: Session,
  { service, texts }: Place,
  consumer: string,
): Promise<Registration | undefined> {
  const row = await session.row(
    texts.of("heard", "SELECT topics FROM $schema.mr_consumers WHERE consumer = $1"),
    consumer,
  );
  if (row === undefined) return undefined;
  const positions = await session.rows(
    texts.of(
      "frontiers",
      "SELECT topic, frontier FROM $schema.mr_positions WHERE consumer = $1 ORDER BY topic, partition",
    ),
    consumer,
  );
  const topics = decodeSubscriptions(row[0] as string).map((topic) => ({
    ...topic,
    start: positions.filter(([of]) => of === topic.topic).map(([, frontier]) => frontier as number),
  }));
  return { consumer, service, topics };
}

/** One position. */
export async function readPosition(session: Session, { texts }: Place, id: number): Promise<Position | undefined> {
  const row = await session.row(
    texts.of("position", `SELECT ${positionColumns} FROM $schema.mr_positions WHERE position = $1`),
    id,
  );
  return row && decodePosition(positionRow(row));
}

/** The heads of a consumer's held lanes, the oldest first. */
export async function readLaneHeads(session: Session, { texts }: Place, consumer: string): Promise<LaneHead[]> {
  const rows = await session.rows(
    texts.of(
      "heads",
      `SELECT lane, entry, state, due, true FROM (
         SELECT DISTINCT ON (lane) lane, entry, state, due FROM $schema.mr_lane_entries WHERE consumer = $1 AND holds
         ORDER BY lane, entry) AS h ORDER BY entry`,
    ),
    consumer,
  );
  return rows.map(headOf);
}

/** The head of one lane. */
export async function readLaneHead(
  session: Session,
  { texts }: Place,
  at: { readonly consumer: string; readonly lane: string },
): Promise<LaneHead | undefined> {
  const row = await session.row(
    texts.of(
      "head",
      `SELECT lane, entry, state, due, holds FROM $schema.mr_lane_entries WHERE consumer = $1 AND lane = $2
       ORDER BY holds DESC, entry LIMIT 1`,
    ),
    at.consumer,
    at.lane,
  );
  return row && headOf(row);
}

function headOf([lane, entry, state, due, holds]: readonly unknown[]): LaneHead {
  return { lane, entry, state, due, holds } as LaneHead;
}

/** One lane entry. */
export async function readEntry(session: Session, { schema }: Place, entry: number): Promise<LaneEntry | undefined> {
  const select = `SELECT ${entryNames} FROM ${schema}.mr_lane_entries WHERE entry = $1`;
  const [row] = await session.objects<EntryRow>(select, entry);
  return row && decodeEntry(row);
}

/** Where a consumer's events are handled for its documents alone. */
export function readMutes(session: Session, { schema }: Place, consumer: string): Promise<Mute[]> {
  return session.objects<Mute>(`SELECT topic, partition, until FROM ${schema}.mr_mutes WHERE consumer = $1`, consumer);
}

/** Whether an operator has paused a consumer. */
export async function readPause(session: Session, { schema }: Place, consumer: string): Promise<Pause | undefined> {
  const select = `SELECT reason, actor, at FROM ${schema}.mr_pauses WHERE consumer = $1`;
  return (await session.objects<Pause>(select, consumer))[0];
}

/** What operators have changed of a consumer's events. */
export async function readAmendments(session: Session, { schema }: Place, consumer: string): Promise<Amendment[]> {
  const rows = await session.objects<AmendmentRow>(
    `SELECT consumer, topic, partition, "offset", act, source, event, id, data, version, reason, actor, at FROM ${schema}.mr_amendments
     WHERE consumer = $1`,
    amendedAs(consumer),
  );
  return rows.map(decodeAmendment);
}
