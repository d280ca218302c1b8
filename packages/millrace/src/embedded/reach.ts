import { isDone } from "../store/position.js";
import type { EntryState, EventPlace, Reach } from "../store/unit.js";
import { first } from "./query.js";
import { decodePosition, decodeSubscriptions, type PositionRow } from "./rows.js";
import type { Database } from "./sqlite.js";

interface EntryAt {
  readonly entry: number;
  readonly state: EntryState;
  readonly lane: string;
}

const pending: Reach = { type: "pending" };
const reached: Reach = { type: "reached" };

/** What a consumer has made of the event at a place. */
export function readReach(database: Database, consumer: string, place: EventPlace): Reach {
  const { topic, partition, offset, type } = place;
  const registered = first<{ topics: string }>(
    database,
    "SELECT topics FROM mr_consumers WHERE consumer = ?",
    consumer,
  );
  if (registered === undefined) return pending;
  const heard = decodeSubscriptions(registered.topics).find((one) => one.topic === topic);
  if (heard?.types.includes(type) !== true) return reached;
  const position = first<PositionRow>(
    database,
    "SELECT * FROM mr_positions WHERE consumer = ? AND topic = ? AND partition = ?",
    consumer,
    topic,
    partition,
  );
  if (position === undefined || !isDone(decodePosition(position), offset)) return pending;
  const entry = first<EntryAt>(
    database,
    "SELECT entry, state, lane FROM mr_lane_entries WHERE consumer = ? AND topic = ? AND partition = ? AND offset = ?",
    consumer,
    topic,
    partition,
    offset,
  );
  if (entry === undefined) return reached;
  const head = entry.state === "following" ? headOf(database, consumer, entry.lane) : entry;
  return head?.state === "dead" ? { type: "held", entry: head.entry } : pending;
}

function headOf(database: Database, consumer: string, lane: string): EntryAt | undefined {
  return first<EntryAt>(
    database,
    "SELECT entry, state, lane FROM mr_lane_entries WHERE consumer = ? AND lane = ? AND holds = 1 ORDER BY entry LIMIT 1",
    consumer,
    lane,
  );
}
