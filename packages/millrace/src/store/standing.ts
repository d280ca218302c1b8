import type { ConsumerView, Delivery } from "./inspect.js";
import { isDone } from "./position.js";
import type { RegisteredConsumer } from "./registered.js";
import type { EntryState, Pause, Position, Reach } from "./unit.js";

/** A lane entry, as far as it tells what became of its event. */
export interface EntryAt {
  readonly entry: number;
  readonly state: EntryState;
}

/** What is stored of one event for one consumer. */
export interface StandingAt {
  readonly entry: EntryAt | undefined;
  /** An operator has skipped it. */
  readonly skipped: boolean;
  readonly position: Position | undefined;
}

/** Whether a consumer hears events of this type. */
export function hears({ topics }: RegisteredConsumer, { topic, type }: { topic: string; type: string }): boolean {
  return topics.some((heard) => heard.topic === topic && heard.types.includes(type));
}

/** What a consumer made of the event at an offset. One that a slow handler has is `pending`. */
export function deliveryOf(consumer: string, offset: number, { entry, skipped, position }: StandingAt): Delivery {
  if (entry !== undefined)
    return { consumer, state: entry.state === "running" ? "pending" : entry.state, entry: entry.entry };
  if (skipped) return { consumer, state: "skipped" };
  const done = position !== undefined && isDone(position, offset);
  return { consumer, state: done ? "applied" : "pending" };
}

/** What a consumer has reached of an event that it is done with. `head` is of the lane of its entry. */
export function reachOf(entry: EntryAt | undefined, head: EntryAt | undefined): Reach {
  if (entry === undefined) return { type: "reached" };
  const before = entry.state === "following" ? head : entry;
  return before?.state === "dead" ? { type: "held", entry: before.entry } : { type: "pending" };
}

/** What is counted of a consumer. */
export interface Counted {
  readonly positions: readonly Position[];
  /** Where the log begins and ends there. */
  readonly extent: (topic: string, partition: number) => { readonly start: number; readonly end: number };
  /** Records of its topics that are not done. */
  readonly pending: number;
  /** By position, when the oldest of them reached the log. */
  readonly oldest: ReadonlyMap<number, number>;
  readonly entries: Readonly<Partial<Record<EntryState, number>>>;
  /** When the oldest event that a slow handler has reached the log; asked when there is one. */
  readonly oldestRunning: number | undefined;
  readonly paused: Pause | undefined;
}

/** A consumer's standing. */
export function consumerView(
  { consumer, service, topics }: RegisteredConsumer,
  { positions, extent, pending, oldest, entries, oldestRunning, paused }: Counted,
  now: number,
): ConsumerView {
  const { running = 0, parked = 0, dead = 0, following = 0 } = entries;
  const times = [...oldest.values()];
  if (oldestRunning !== undefined) times.push(oldestRunning);
  return {
    consumer,
    service,
    topics: topics.map(({ topic, types }) => ({ topic, types })),
    positions: positions.map((position) => ({
      ...position,
      ...extent(position.topic, position.partition),
      oldestPendingAt: oldest.get(position.id),
    })),
    lagRecords: pending + running,
    lagMs: times.length === 0 ? 0 : Math.max(0, now - Math.min(...times)),
    parked,
    dead,
    following,
    ...(paused === undefined ? {} : { paused }),
  };
}
