import type { Act, ActOutcome } from "../store/operate.js";
import { heardTypes, type RegisteredConsumer } from "../store/registered.js";
import { encodeRanges } from "../store/rows.js";
import type { Seek, SeekStep } from "../store/seek.js";
import {
  goesBack,
  landing,
  type Move,
  movedPlaces,
  movesOf,
  placeOf,
  SeekCount,
  seekTarget,
  soughtTopics,
  waitingMuted,
} from "../store/seek-plan.js";
import type { Mute } from "../store/unit.js";
import { audit, wasDone } from "./audit.js";
import { offsetAt, readBody, readTopics, recordsOf, type TopicHistory, walkBlocks } from "./history.js";
import { countOf, type Range as ExportRange, seekJob, seekJobOf, takeAway } from "./job-exports.js";
import { leaveJobs } from "./jobs.js";
import { all, run } from "./query.js";
import type { Database } from "./sqlite.js";
import { readPositions, readRegistrations } from "./standing.js";

const charactersMax = 16 * 1024 * 1024;

/** Runs inside a transaction. Every position of the consumer gets a new epoch, so that nothing under way is stored. */
export function seek(database: Database, asked: Seek, act: Act): ActOutcome & { readonly job?: number } {
  const { consumer, mute } = asked;
  // Done twice, it would handle again what was handled between.
  const target = seekTarget(asked);
  if (wasDone(database, "seek", target, act)) {
    const job = seekJobOf(database, target, act);
    return { changed: 0, lanes: [], ...(job === undefined ? {} : { job }) };
  }
  const moves = topicMoves(database, asked);
  const back = moves.filter((move) => goesBack(move, mute));
  const selection = `${target}${movedPlaces(moves)}`;
  const job = mute ? undefined : takeBack(database, { selection, back }, act);
  const lanes = mute ? [] : dropLanes(database, { consumer, back, job }, act);
  if (mute) muteBack(database, consumer, back);
  run(
    database,
    `UPDATE mr_positions SET owner = '', epoch = epoch + 1, generation = generation + ?, crashes = 0 WHERE consumer = ?`,
    back.length > 0 ? 1 : 0,
    consumer,
  );
  const move = database.prepare("UPDATE mr_positions SET frontier = ?, finished = ? WHERE position = ?");
  for (const one of moves) {
    const { frontier, finished } = landing(one, mute);
    move.run(frontier, encodeRanges(finished), one.position.id);
  }
  audit(database, "seek", selection, act);
  return { changed: moves.length, lanes, ...(job === undefined ? {} : { job }) };
}

/** What a move would do. */
export function seekSteps(database: Database, asked: Seek): SeekStep[] {
  const moves = topicMoves(database, asked);
  const types = heardTypes(registeredAs(database, asked.consumer));
  return [...new Set(moves.map(({ topic }) => topic))].flatMap((topic) =>
    stepsOf(database, { topic, moves: moves.filter((move) => move.topic === topic), types, mute: asked.mute }),
  );
}

/** What is muted for a consumer. */
export function readMutes(database: Database, consumer: string): Mute[] {
  return all<Mute>(database, "SELECT topic, partition, until FROM mr_mutes WHERE consumer = ?", consumer);
}

/** A move, and what the log holds of its topic. */
interface TopicMove extends Move {
  readonly topic: TopicHistory;
}

function topicMoves(database: Database, asked: Seek): TopicMove[] {
  const names = soughtTopics(asked, registeredAs(database, asked.consumer));
  const topics = new Map(readTopics(database).map((topic) => [topic.shape.name, topic]));
  const positions = readPositions(database, asked.consumer).filter(({ topic }) => topics.has(topic));
  return movesOf(asked, names, positions).map((position) => {
    const topic = topics.get(position.topic) as TopicHistory;
    const extent = { name: position.topic, first: topic.first, end: topic.end };
    return { position, topic, to: placeOf(asked.to, extent, (at) => offsetAt(database, topic, at)) };
  });
}

function registeredAs(database: Database, consumer: string): RegisteredConsumer | undefined {
  return readRegistrations(database).find((one) => one.consumer === consumer);
}

interface Back {
  readonly selection: string;
  readonly back: readonly Move[];
}

/** The job that keeps what waits from the new places on, and the timers armed there. Undefined when there is nothing. */
function takeBack(database: Database, { selection, back }: Back, act: Act): number | undefined {
  const ranges = back.map(rangeOf);
  if (ranges.every((range) => countOf(database, "entry", range) + countOf(database, "timer", range) === 0))
    return undefined;
  const job = seekJob(database, selection, act);
  for (const range of ranges) takeAway(database, "timer", job, range);
  return job;
}

function rangeOf({ position: { consumer, topic, partition }, to }: Move): ExportRange {
  return { consumer, topic, partition, from: to };
}

interface Dropping {
  readonly consumer: string;
  readonly back: readonly Move[];
  readonly job: number | undefined;
}

/** What waits in lanes from the new places on is read from the log again. What waits behind it, from before, goes on. */
function dropLanes(database: Database, { consumer, back, job }: Dropping, act: Act): ActOutcome["lanes"] {
  const lanes = new Map<string, ActOutcome["lanes"][number]>();
  const where = "consumer = ? AND topic = ? AND partition = ? AND offset >= ?";
  for (const move of back) {
    const { position, to } = move;
    const place = [consumer, position.topic, position.partition, to] as const;
    run(database, "DELETE FROM mr_mutes WHERE consumer = ? AND topic = ? AND partition = ?", ...place.slice(0, 3));
    const dropped = `SELECT DISTINCT lane FROM mr_lane_entries WHERE ${where}`;
    for (const { lane } of all<{ lane: string }>(database, dropped, ...place)) lanes.set(lane, { consumer, lane });
    const detail = `${consumer} was moved back by ${act.actor}`;
    leaveJobs(database, `entry IN (SELECT entry FROM mr_lane_entries WHERE ${where})`, place, detail);
    if (job !== undefined) takeAway(database, "entry", job, rangeOf(move));
  }
  for (const { lane } of lanes.values())
    run(
      database,
      `UPDATE mr_lane_entries SET state = 'parked', due = ? WHERE state = 'following' AND entry =
         (SELECT min(entry) FROM mr_lane_entries WHERE consumer = ? AND lane = ? AND holds = 1)`,
      act.at,
      consumer,
      lane,
    );
  return [...lanes.values()];
}

function muteBack(database: Database, consumer: string, back: readonly Move[]): void {
  for (const move of back) {
    const { topic, partition, frontier } = move.position;
    const waiting = countOf(database, "entry", rangeOf(move));
    if (waiting > 0) throw waitingMuted(move, waiting);
    run(
      database,
      `INSERT INTO mr_mutes VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET until = max(until, excluded.until)`,
      consumer,
      topic,
      partition,
      frontier,
    );
  }
}

interface Counted {
  readonly topic: TopicHistory;
  readonly moves: readonly Move[];
  readonly types: ReadonlyMap<string, ReadonlySet<string>>;
  readonly mute: boolean;
}

function stepsOf(database: Database, { topic, moves, types, mute }: Counted): SeekStep[] {
  const count = new SeekCount(moves, types.get(topic.shape.name) ?? new Set(), mute);
  const from = Math.max(topic.first, Math.min(...moves.map(({ position, to }) => Math.min(position.frontier, to))));
  let characters = 0;
  let exact = true;
  for (const block of walkBlocks(database, topic, { from, to: topic.end })) {
    exact = characters < charactersMax;
    if (!exact) break;
    const body = readBody(database, topic, block) ?? "";
    characters += body.length;
    for (const record of recordsOf(topic, block, body)) count.count(record);
  }
  return moves.map((move) => {
    const { position, to } = move;
    const { partition, frontier } = position;
    const back = goesBack(move, mute);
    const waiting = back ? countOf(database, "entry", rangeOf(move)) : 0;
    const timers = back && !mute ? countOf(database, "timer", rangeOf(move)) : 0;
    const counted = count.of(partition);
    return { topic: topic.shape.name, partition, from: frontier, to, ...counted, waiting, timers, exact };
  });
}
