import { isDone } from "../store/position.js";
import { decodePosition, decodeSubscriptions, type PositionRow } from "../store/rows.js";
import { type EntryAt, reachOf } from "../store/standing.js";
import type { EventPlace, Reach } from "../store/unit.js";
import { first } from "./query.js";
import type { Database } from "./sqlite.js";

interface Waiting extends EntryAt {
  readonly lane: string;
}

/** What a consumer has made of the event at a place. */
export function readReach(database: Database, consumer: string, place: EventPlace): Reach {
  const { topic, partition, offset, type } = place;
  const registered = first<{ topics: string }>(
    database,
    "SELECT topics FROM mr_consumers WHERE consumer = ?",
    consumer,
  );
  if (registered === undefined) return { type: "pending" };
  const heard = decodeSubscriptions(registered.topics).find((one) => one.topic === topic);
  if (heard?.types.includes(type) !== true) return { type: "reached" };
  const position = first<PositionRow>(
    database,
    "SELECT * FROM mr_positions WHERE consumer = ? AND topic = ? AND partition = ?",
    consumer,
    topic,
    partition,
  );
  if (position === undefined || !isDone(decodePosition(position), offset)) return { type: "pending" };
  const entry = first<Waiting>(
    database,
    "SELECT entry, state, lane FROM mr_lane_entries WHERE consumer = ? AND topic = ? AND partition = ? AND offset = ?",
    consumer,
    topic,
    partition,
    offset,
  );
  const head = entry?.state === "following" ? headOf(database, consumer, entry.lane) : undefined;
  return reachOf(entry, head);
}

function headOf(database: Database, consumer: string, lane: string): Waiting | undefined {
  return first<Waiting>(
    database,
    "SELECT entry, state, lane FROM mr_lane_entries WHERE consumer = ? AND lane = ? AND holds = 1 ORDER BY entry LIMIT 1",
    consumer,
    lane,
  );
}
