import { Failure } from "../failure/failure.js";
import { isDone } from "./position.js";
import type { RegisteredConsumer } from "./registered.js";
import type { Seek, SeekTarget } from "./seek.js";
import type { Position, Range } from "./unit.js";

/** Where a position is moved to. */
export interface Move {
  readonly position: Position;
  readonly to: number;
}

/** What a log holds of a topic, or of one of its partitions. */
export interface Extent {
  readonly name: string;
  readonly first: number;
  readonly end: number;
}

/** All that was asked for, so that another move of the same moment is another one; where each position went comes behind. */
export function seekTarget({ consumer, mute, topic, partition, to }: Seek): string {
  const only = `${topic === undefined ? "" : `, topic ${topic}`}${partition === undefined ? "" : `, partition ${partition}`}`;
  const place = to.type === "offset" ? ` ${to.offset}` : to.type === "time" ? ` ${to.at}` : "";
  return `consumer ${consumer}${mute ? ", muted" : ""}${only} to ${to.type}${place}: `;
}

/** Where each position goes, for people: what stands behind {@link seekTarget}. */
export function movedPlaces(moves: readonly Move[]): string {
  return moves
    .map(({ position: { topic, partition, frontier }, to }) => `${topic}/${partition} ${frontier} to ${to}`)
    .join(", ");
}

/**
 * The topics whose positions are moved.
 *
 * @throws {Failure} NOT_FOUND when no such consumer is registered, OPTION_INVALID when it does not hear the topic, or an
 * offset could be of several.
 */
export function soughtTopics({ consumer, to, topic: name }: Seek, known: RegisteredConsumer | undefined): string[] {
  if (known === undefined)
    throw new Failure("NOT_FOUND", `no consumer ${consumer} is registered; see millrace consumers ls`);
  const heard = known.topics.map(({ topic }) => topic).filter((topic) => name === undefined || topic === name);
  if (heard.length === 0) throw invalid("topic", `${consumer} does not hear ${name ?? "any topic"}`);
  if (to.type === "offset" && heard.length > 1)
    throw invalid("topic", `${consumer} hears ${heard.join(", ")}: name the topic that the offset is of`);
  return heard;
}

/**
 * The positions that are moved, of those of its consumer.
 *
 * @throws {Failure} OPTION_INVALID when there is no such partition.
 */
export function movesOf(
  { consumer, partition }: Seek,
  topics: readonly string[],
  positions: readonly Position[],
): readonly Position[] {
  const found = positions.filter(
    (one) => topics.includes(one.topic) && (partition === undefined || one.partition === partition),
  );
  if (found.length > 0) return found;
  throw invalid("partition", `${consumer} has no partition ${partition} in ${topics.join(", ")}`);
}

/**
 * The offset that a target means there; `offsetAt` finds the first one of a time.
 *
 * @throws {Failure} OPTION_INVALID when the log does not hold it.
 */
export function placeOf(to: SeekTarget, { name, first, end }: Extent, offsetAt: (at: number) => number): number {
  switch (to.type) {
    case "beginning":
      return first;
    case "end":
      return end;
    case "time":
      return offsetAt(to.at);
    case "offset":
      if (to.offset >= first && to.offset <= end) return to.offset;
      throw invalid("to", `${name} has offsets ${first} to ${end}, not ${to.offset}`);
  }
}

/** Something that is done would be handled again. Muted, what was done out of turn stays done. */
export function goesBack({ position: { frontier, finished }, to }: Move, mute: boolean): boolean {
  return to < frontier || (to === frontier && finished.length > 0 && !mute);
}

/** Where a position stands after it was moved. */
export function landing(move: Move, mute: boolean): Pick<Position, "frontier" | "finished"> {
  const {
    position: { finished },
    to,
  } = move;
  if (goesBack(move, mute)) return { frontier: to, finished: mute ? finished : [] };
  let reached = to;
  const above: Range[] = [];
  for (const [start, end] of finished) {
    if (start <= reached) reached = Math.max(reached, end);
    else above.push([start, end]);
  }
  return { frontier: reached, finished: above };
}

/** Says that events which wait in lanes would be read again without publishing what they have to. */
export function waitingMuted({ position, to }: Move, waiting: number): Failure {
  const { consumer, topic, partition } = position;
  return new Failure(
    "CONFLICT",
    `${waiting} events of ${topic}/${partition} from ${to} on wait in lanes of ${consumer}, and muted they would never publish what they have to; redrive or skip them first, or move back without muting`,
  );
}

/** Counts what moves would have handled again, and what they would pass over. */
export class SeekCount {
  readonly #of = new Map<number, Counted>();
  readonly #types: ReadonlySet<string>;

  /** `moves` are of one topic, `types` what the consumer hears of it. */
  constructor(moves: readonly Move[], types: ReadonlySet<string>, mute: boolean) {
    this.#types = types;
    for (const move of moves)
      this.#of.set(move.position.partition, {
        before: move.position,
        after: landing(move, mute),
        again: 0,
        skipped: 0,
      });
  }

  count({ partition, offset, type }: { readonly partition: number; readonly offset: number; readonly type: string }) {
    const counted = this.#of.get(partition);
    if (counted === undefined || !this.#types.has(type)) return;
    const before = isDone(counted.before, offset);
    const after = isDone(counted.after, offset);
    if (before && !after) counted.again += 1;
    if (!before && after) counted.skipped += 1;
  }

  of(partition: number): { readonly again: number; readonly skipped: number } {
    const { again, skipped } = this.#of.get(partition) ?? { again: 0, skipped: 0 };
    return { again, skipped };
  }
}

interface Counted {
  readonly before: Pick<Position, "frontier" | "finished">;
  readonly after: Pick<Position, "frontier" | "finished">;
  again: number;
  skipped: number;
}

function invalid(option: string, problem: string): Failure {
  return new Failure("OPTION_INVALID", problem, { details: { option } });
}
