import type { SeenLog } from "../engine/halves.js";
import { walkLog } from "../store/log-walk.js";
import { heardTypes, type RegisteredConsumer } from "../store/registered.js";
import type { Seek, SeekStep } from "../store/seek.js";
import { goesBack, type Move, movesOf, placeOf, SeekCount, soughtTopics } from "../store/seek-plan.js";
import type { Position } from "../store/unit.js";
import { readPositions, readRegistrations } from "./consumer-reads.js";
import { type InspectParts, look, type Sight } from "./sight.js";

/** What one call reads of each topic at most. */
const bytesMax = 16 * 1024 * 1024;

/** Where the partitions of the topics that are moved begin and end, and where a target is in them. */
export interface Ground {
  readonly starts: readonly number[];
  readonly ends: readonly number[];
  /** Of a target that is a time. */
  readonly times: readonly number[] | undefined;
}

/** Asks the log, before anything is locked. */
export async function readGrounds(log: SeenLog, seek: Seek, topics: readonly string[]): Promise<Map<string, Ground>> {
  const known = new Set((await log.topics()).map(({ name }) => name));
  const grounds = new Map<string, Ground>();
  for (const topic of topics) {
    if (!known.has(topic)) continue;
    const [starts, ends] = [await log.starts(topic), await log.ends(topic)];
    const times = seek.to.type === "time" ? await log.offsetsAt(topic, seek.to.at) : undefined;
    grounds.set(topic, { starts, ends, times });
  }
  return grounds;
}

/** Where each position goes. */
export function planMoves(
  seek: Seek,
  registered: RegisteredConsumer | undefined,
  { positions, grounds }: { readonly positions: readonly Position[]; readonly grounds: ReadonlyMap<string, Ground> },
): Move[] {
  const topics = soughtTopics(seek, registered);
  return movesOf(
    seek,
    topics,
    positions.filter(({ topic }) => grounds.has(topic)),
  ).map((position) => {
    const { topic, partition } = position;
    const { starts, ends, times } = grounds.get(topic) as Ground;
    const extent = { name: `${topic}/${partition}`, first: starts[partition] ?? 0, end: ends[partition] ?? 0 };
    return { position, to: placeOf(seek.to, extent, () => times?.[partition] ?? extent.end) };
  });
}

/** What waits from a place on: entries of lanes, and timers that are not due yet. */
export interface Waiting {
  readonly topic: string;
  readonly partition: number;
  readonly waiting: number;
  readonly timers: number;
}

/** Counts what waits in the partitions that moves go back in, from their new places on. */
export async function countWaiting(sight: Sight, service: string, back: readonly Move[]): Promise<readonly Waiting[]> {
  if (back.length === 0) return [];
  const table = (name: string) =>
    `(SELECT count(*) FROM $schema.${name} AS t
       WHERE t.consumer = $1 AND t.topic = b.topic AND t.partition = b.partition AND t."offset" >= b.start)`;
  return sight.of<Waiting>(
    service,
    `SELECT b.topic, b.partition, ${table("mr_lane_entries")} AS waiting, ${table("mr_timers")} AS timers
     FROM unnest($2::text[], $3::int[], $4::bigint[]) AS b(topic, partition, start)`,
    back[0]?.position.consumer,
    ...rangesOf(back),
  );
}

/** The moved partitions and their new places, as arrays. */
export function rangesOf(moves: readonly Move[]): [topics: string[], partitions: number[], starts: number[]] {
  return [
    moves.map(({ position }) => position.topic),
    moves.map(({ position }) => position.partition),
    moves.map(({ to }) => to),
  ];
}

/** What a move would do, counted over at most 16 MiB of each topic. */
export async function seekSteps(parts: InspectParts, seek: Seek): Promise<SeekStep[]> {
  const stored = await look(parts, async (sight) => ({
    registered: (await readRegistrations(sight)).find(({ consumer }) => consumer === seek.consumer),
    positions: await readPositions(sight, seek.consumer),
  }));
  const topics = soughtTopics(seek, stored.registered);
  const grounds = await readGrounds(parts.log, seek, topics);
  const moves = planMoves(seek, stored.registered, { positions: stored.positions, grounds });
  const service = stored.registered?.service ?? "";
  const counts = await look(parts, (sight) =>
    countWaiting(
      sight,
      service,
      moves.filter((move) => goesBack(move, seek.mute)),
    ),
  );
  const types = heardTypes(stored.registered);
  const steps: SeekStep[] = [];
  for (const [topic, ground] of grounds) {
    const own = moves.filter(({ position }) => position.topic === topic);
    const count = new SeekCount(own, types.get(topic) ?? new Set(), seek.mute);
    const { whole } = await walkLog(
      parts.log,
      { topic, bytesMax, to: ground.ends, from: walkFrom(own, ground) },
      (record) => count.count(record),
    );
    for (const { position, to } of own) {
      const { partition, frontier } = position;
      const at = counts.find((one) => one.topic === topic && one.partition === partition);
      const { waiting = 0, timers = 0 } = at ?? {};
      const moved = { topic, partition, from: frontier, to, ...count.of(partition) };
      steps.push({ ...moved, waiting, timers: seek.mute ? 0 : timers, exact: whole });
    }
  }
  return steps;
}

/** Reading begins where a position stands, or will: what is before both is done, and stays so. */
function walkFrom(moves: readonly Move[], { starts, ends }: Ground): number[] {
  return ends.map((end, partition) => {
    const move = moves.find(({ position }) => position.partition === partition);
    return move === undefined ? end : Math.max(starts[partition] ?? 0, Math.min(move.position.frontier, move.to));
  });
}
