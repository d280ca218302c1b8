import type { SeenLog } from "../engine/halves.js";
import type { LogRecord } from "../log/log.js";
import { countBacklog } from "../store/backlog.js";
import { amendedAs } from "../store/builds.js";
import type { ConsumerView, Delivery } from "../store/inspect.js";
import { type ConsumerRow, decodeRegistered, type RegisteredConsumer } from "../store/registered.js";
import { decodePosition, decodeRecord, type PositionRow } from "../store/rows.js";
import { consumerView, deliveryOf, type EntryAt, hears } from "../store/standing.js";
import type { EntryState, Pause, Position } from "../store/unit.js";
import { positionColumns } from "./position-rows.js";
import type { Sight } from "./sight.js";

/** Every registered consumer, by name. */
export async function readRegistrations(sight: Sight): Promise<readonly RegisteredConsumer[]> {
  const select = "SELECT consumer, $service AS service, topics FROM $schema.mr_consumers";
  return (await sight.all<ConsumerRow>(select, { order: "consumer" })).map(decodeRegistered);
}

/** The positions of one consumer, or of all. */
export async function readPositions(sight: Sight, consumer?: string): Promise<readonly Position[]> {
  const select = `SELECT ${positionColumns} FROM $schema.mr_positions WHERE $1::text IS NULL OR consumer = $1`;
  const rows = await sight.all<PositionRow>(select, { order: "consumer, topic, partition" }, consumer ?? null);
  return rows.map(decodePosition);
}

/** Where the partitions of topics begin and end; a topic that the log does not have is not among them. */
export class Extents {
  readonly #log: SeenLog;
  #known: Promise<ReadonlySet<string>> | undefined;
  readonly #read = new Map<string, Promise<{ starts: readonly number[]; ends: readonly number[] }>>();

  constructor(log: SeenLog) {
    this.#log = log;
  }

  async of(
    topic: string,
  ): Promise<{ readonly starts: readonly number[]; readonly ends: readonly number[] } | undefined> {
    this.#known ??= Promise.resolve(this.#log.topics()).then((topics) => new Set(topics.map(({ name }) => name)));
    if (!(await this.#known).has(topic)) return undefined;
    let read = this.#read.get(topic);
    if (read === undefined) {
      read = Promise.all([this.#log.starts(topic), this.#log.ends(topic)]).then(([starts, ends]) => ({ starts, ends }));
      this.#read.set(topic, read);
    }
    return read;
  }
}

/** What the tables say about every consumer's standing. */
export interface StoredStandings {
  readonly registered: readonly RegisteredConsumer[];
  readonly positions: readonly Position[];
  readonly pauses: ReadonlyMap<string, Pause>;
  readonly entries: ReadonlyMap<string, Partial<Record<EntryState, number>>>;
  /** By consumer, when the oldest event that a slow handler has reached the log. */
  readonly running: ReadonlyMap<string, number>;
}

export async function readStandings(sight: Sight): Promise<StoredStandings> {
  const counts = await sight.all<{ consumer: string; state: EntryState; n: number }>(
    "SELECT consumer, state, count(*) AS n FROM $schema.mr_lane_entries GROUP BY consumer, state",
    {},
  );
  const entries = new Map<string, Partial<Record<EntryState, number>>>();
  for (const { consumer, state, n } of counts) entries.set(consumer, { ...entries.get(consumer), [state]: n });
  const running = await sight.all<{ consumer: string; record: string }>(
    `SELECT consumer, record FROM $schema.mr_lane_entries
     WHERE entry IN (SELECT min(entry) FROM $schema.mr_lane_entries WHERE state = 'running' GROUP BY consumer)`,
    {},
  );
  const pauses = await sight.all<Pause & { readonly consumer: string }>(
    "SELECT consumer, reason, actor, at FROM $schema.mr_pauses",
    {},
  );
  return {
    registered: await readRegistrations(sight),
    positions: await readPositions(sight),
    pauses: new Map(pauses.map(({ consumer, ...pause }) => [consumer, pause])),
    entries,
    running: new Map(running.map(({ consumer, record }) => [consumer, decodeRecord(record).appended])),
  };
}

/** Every consumer's standing; see {@link countBacklog} for how exact its lag is. */
export async function standingViews(log: SeenLog, stored: StoredStandings, now: number): Promise<ConsumerView[]> {
  const extents = new Extents(log);
  const views: ConsumerView[] = [];
  for (const registered of stored.registered) {
    const { consumer } = registered;
    const positions = stored.positions.filter((position) => position.consumer === consumer);
    const known = new Map<string, Awaited<ReturnType<Extents["of"]>>>();
    for (const topic of new Set(positions.map((position) => position.topic))) known.set(topic, await extents.of(topic));
    const oldest = new Map<number, number>();
    let pending = 0;
    for (const { topic, types } of registered.topics) {
      const extent = await extents.of(topic);
      if (extent === undefined) continue;
      const own = positions.filter((position) => position.topic === topic);
      pending += await countBacklog(log, { topic, types: new Set(types), positions: own, ...extent }, oldest);
    }
    const counted = {
      positions,
      extent: (topic: string, partition: number) => ({
        start: known.get(topic)?.starts[partition] ?? 0,
        end: known.get(topic)?.ends[partition] ?? 0,
      }),
      pending,
      oldest,
      entries: stored.entries.get(consumer) ?? {},
      oldestRunning: stored.running.get(consumer),
      paused: stored.pauses.get(consumer),
    };
    views.push(consumerView(registered, counted, now));
  }
  return views;
}

interface AtRow extends EntryAt {
  readonly consumer: string;
}

/**
 * What each consumer that hears this type made of one event. Where it is in the log may not be known yet: then the event
 * is `pending`, unless something else is known of it.
 */
export async function readDeliveries(sight: Sight, record: LogRecord): Promise<Delivery[]> {
  const { topic, partition, offset, source, id } = record;
  const at = [topic, partition, offset];
  const entries = await sight.all<AtRow>(
    `SELECT consumer, entry, state FROM $schema.mr_lane_entries
     WHERE (topic = $1 AND partition = $2 AND "offset" = $3) OR (id = $5 AND source = $4 AND topic = $1)`,
    {},
    ...at,
    source,
    id,
  );
  const skips = await sight.all<{ consumer: string }>(
    `SELECT consumer FROM $schema.mr_amendments
     WHERE act = 'skip' AND topic = $1 AND partition = $2 AND ("offset" = $3 OR (event = $5 AND source = $4))`,
    {},
    ...at,
    source,
    id,
  );
  const positions = await sight.all<PositionRow>(
    `SELECT ${positionColumns} FROM $schema.mr_positions WHERE topic = $1 AND partition = $2`,
    {},
    topic,
    partition,
  );
  const skipped = new Set(skips.map(({ consumer }) => consumer));
  const byConsumer = new Map(positions.map((row) => [row.consumer, decodePosition(row)]));
  return (await readRegistrations(sight))
    .filter((registered) => hears(registered, record))
    .map(({ consumer }) =>
      deliveryOf(consumer, offset, {
        entry: entries.find((entry) => entry.consumer === consumer),
        skipped: skipped.has(amendedAs(consumer)),
        position: offset < 0 ? undefined : byConsumer.get(consumer),
      }),
    );
}
