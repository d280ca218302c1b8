import { Failure } from "../failure/failure.js";
import type { Act, ActOutcome } from "../store/operate.js";
import { isDone } from "../store/position.js";
import type { Seek, SeekStep } from "../store/seek.js";
import type { Mute, Position, Range } from "../store/unit.js";
import { audit, wasDone } from "./audit.js";
import { offsetAt, readBody, readTopics, recordsOf, type TopicHistory, walkBlocks } from "./history.js";
import { countOf, type Range as ExportRange, seekJob, seekJobOf, takeAway } from "./job-exports.js";
import { leaveJobs } from "./jobs.js";
import { all, run } from "./query.js";
import { encodeRanges } from "./rows.js";
import type { Database } from "./sqlite.js";
import { readPositions, readRegistrations } from "./standing.js";

const charactersMax = 16 * 1024 * 1024;

interface Move {
  readonly position: Position;
  readonly topic: TopicHistory;
  readonly to: number;
}

/** Runs inside a transaction. Every position of the consumer gets a new epoch, so that nothing under way is stored. */
export function seek(database: Database, asked: Seek, act: Act): ActOutcome & { readonly job?: number } {
  const { consumer, mute } = asked;
  // Done twice, it would handle again what was handled between.
  const target = targetOf(asked);
  if (wasDone(database, "seek", target, act)) {
    const job = seekJobOf(database, target, act);
    return { changed: 0, lanes: [], ...(job === undefined ? {} : { job }) };
  }
  const moves = movesOf(database, asked);
  const back = moves.filter((move) => goesBack(move, mute));
  const places = moves.map(
    ({ position: { topic, partition, frontier }, to }) => `${topic}/${partition} ${frontier} to ${to}`,
  );
  const job = mute ? undefined : takeBack(database, { selection: `${target}${places.join(", ")}`, back }, act);
  const lanes = mute ? [] : dropLanes(database, { consumer, back, job }, act);
  if (mute) muteBack(database, consumer, back);
  run(
    database,
    `UPDATE mr_positions SET owner = '', epoch = epoch + 1, generation = generation + ?, crashes = 0 WHERE consumer = ?`,
    back.length > 0 ? 1 : 0,
    consumer,
  );
  const move = database.prepare("UPDATE mr_positions SET frontier = ?, finished = ? WHERE position = ?");
  for (const { position, to } of moves) {
    const { frontier, finished } = landing(position, to, mute);
    move.run(frontier, encodeRanges(finished), position.id);
  }
  audit(database, "seek", `${target}${places.join(", ")}`, act);
  return { changed: moves.length, lanes, ...(job === undefined ? {} : { job }) };
}

/** All that was asked for, so that another move of the same moment is another one; where each position went comes behind. */
function targetOf({ consumer, mute, topic, partition, to }: Seek): string {
  const only = `${topic === undefined ? "" : `, topic ${topic}`}${partition === undefined ? "" : `, partition ${partition}`}`;
  const place = to.type === "offset" ? ` ${to.offset}` : to.type === "time" ? ` ${to.at}` : "";
  return `consumer ${consumer}${mute ? ", muted" : ""}${only} to ${to.type}${place}: `;
}

/** What a move would do. */
export function seekSteps(database: Database, asked: Seek): SeekStep[] {
  const moves = movesOf(database, asked);
  const types = typesOf(database, asked.consumer);
  return [...new Set(moves.map(({ topic }) => topic))].flatMap((topic) =>
    stepsOf(database, { topic, moves: moves.filter((move) => move.topic === topic), types, mute: asked.mute }),
  );
}

/** What is muted for a consumer. */
export function readMutes(database: Database, consumer: string): Mute[] {
  return all<Mute>(database, "SELECT topic, partition, until FROM mr_mutes WHERE consumer = ?", consumer);
}

function movesOf(database: Database, { consumer, to, topic: name, partition }: Seek): Move[] {
  const registered = readRegistrations(database).find((one) => one.consumer === consumer);
  if (registered === undefined)
    throw new Failure("NOT_FOUND", `no consumer ${consumer} is registered; see millrace consumers ls`);
  const heard = registered.topics.map(({ topic }) => topic).filter((topic) => name === undefined || topic === name);
  if (heard.length === 0) throw invalid("topic", `${consumer} does not hear ${name ?? "any topic"}`);
  if (to.type === "offset" && heard.length > 1)
    throw invalid("topic", `${consumer} hears ${heard.join(", ")}: name the topic that the offset is of`);
  const topics = readTopics(database);
  const moves = readPositions(database, consumer)
    .filter((one) => heard.includes(one.topic) && (partition === undefined || one.partition === partition))
    .flatMap((position) => {
      const topic = topics.find(({ shape }) => shape.name === position.topic);
      return topic === undefined ? [] : [{ position, topic, to: placeOf(database, topic, to) }];
    });
  if (moves.length > 0) return moves;
  throw invalid("partition", `${consumer} has no partition ${partition} in ${heard.join(", ")}`);
}

function placeOf(database: Database, topic: TopicHistory, to: Seek["to"]): number {
  switch (to.type) {
    case "beginning":
      return topic.first;
    case "end":
      return topic.end;
    case "time":
      return offsetAt(database, topic, to.at);
    case "offset":
      if (to.offset >= topic.first && to.offset <= topic.end) return to.offset;
      throw invalid("to", `${topic.shape.name} has offsets ${topic.first} to ${topic.end}, not ${to.offset}`);
  }
}

/** Something that is done would be handled again. Muted, what was done out of turn stays done. */
function goesBack({ position: { frontier, finished }, to }: Omit<Move, "topic">, mute: boolean): boolean {
  return to < frontier || (to === frontier && finished.length > 0 && !mute);
}

/** Where a position stands after it was moved. */
function landing(position: Position, to: number, mute: boolean): Pick<Position, "frontier" | "finished"> {
  const { finished } = position;
  if (goesBack({ position, to }, mute)) return { frontier: to, finished: mute ? finished : [] };
  let reached = to;
  const above: Range[] = [];
  for (const [start, end] of finished) {
    if (start <= reached) reached = Math.max(reached, end);
    else above.push([start, end]);
  }
  return { frontier: reached, finished: above };
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
    const { position, to } = move;
    const { topic, partition, frontier } = position;
    const waiting = countOf(database, "entry", rangeOf(move));
    if (waiting > 0)
      throw new Failure(
        "CONFLICT",
        `${waiting} events of ${topic}/${partition} from ${to} on wait in lanes of ${consumer}, and muted they would never publish what they have to; redrive or skip them first, or move back without muting`,
      );
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
  const heard = types.get(topic.shape.name) ?? new Set<string>();
  const counts = new Map(moves.map((move) => [move.position.partition, { move, again: 0, skipped: 0 }]));
  const from = Math.max(topic.first, Math.min(...moves.map(({ position, to }) => Math.min(position.frontier, to))));
  let characters = 0;
  let exact = true;
  for (const block of walkBlocks(database, topic, { from, to: topic.end })) {
    exact = characters < charactersMax;
    if (!exact) break;
    const body = readBody(database, topic, block) ?? "";
    characters += body.length;
    for (const { partition, offset, type } of recordsOf(topic, block, body)) {
      const count = counts.get(partition);
      if (count === undefined || !heard.has(type)) continue;
      const { position, to } = count.move;
      const after = landing(position, to, mute);
      const before = isDone(position, offset);
      const then = isDone({ ...position, ...after }, offset);
      if (before && !then) count.again += 1;
      if (!before && then) count.skipped += 1;
    }
  }
  return moves.map((move) => {
    const { position, to } = move;
    const { again = 0, skipped = 0 } = counts.get(position.partition) ?? {};
    const { partition, frontier } = position;
    const back = goesBack(move, mute);
    const waiting = back ? countOf(database, "entry", rangeOf(move)) : 0;
    const timers = back && !mute ? countOf(database, "timer", rangeOf(move)) : 0;
    return { topic: topic.shape.name, partition, from: frontier, to, again, skipped, waiting, timers, exact };
  });
}

function typesOf(database: Database, consumer: string): ReadonlyMap<string, ReadonlySet<string>> {
  const registered = readRegistrations(database).find((one) => one.consumer === consumer);
  return new Map(registered?.topics.map(({ topic, types }) => [topic, new Set(types)]));
}

function invalid(option: string, problem: string): Failure {
  return new Failure("OPTION_INVALID", problem, { details: { option } });
}
