import { decodeRanges } from "../store/rows.js";
import type { EventPlace, Range } from "../store/unit.js";
import type { Source } from "./source.js";

interface Mark {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
}

/** What an event is called, where a row knows its place alone. */
export interface EventName {
  readonly source: string;
  readonly id: string;
}

/**
 * Where the file's offsets are in the new log: those that rows name. Offsets of the file count the records of a topic, those
 * of the new log the ones of a partition.
 */
export class Offsets {
  readonly #marks = new Map<string, number[]>();
  readonly #counts = new Map<string, number>();
  readonly #next = new Map<string, number>();
  readonly #moved = new Map<string, number>();
  readonly #names = new Map<string, EventName>();
  readonly #starts = new Map<string, readonly number[]>();

  /** Notes what has to be known: every offset that a row of the source names. */
  static of(source: Source): Offsets {
    const offsets = new Offsets();
    const placed = ["mr_lane_entries", "mr_amendments", "mr_timers"].flatMap((table) =>
      source.rows<Mark>(`SELECT DISTINCT topic, partition, offset FROM ${table} WHERE topic IS NOT NULL`),
    );
    for (const mark of placed) offsets.#note(mark);
    for (const { until, ...at } of source.rows<Mark & { until: number }>(
      "SELECT topic, partition, until FROM mr_mutes",
    ))
      offsets.#note({ ...at, offset: until });
    const positions = source.rows<Mark & { frontier: number; finished: string }>(
      "SELECT topic, partition, frontier, finished FROM mr_positions",
    );
    for (const { frontier, finished, ...at } of positions) {
      offsets.#note({ ...at, offset: frontier });
      for (const offset of decodeRanges(finished).flat()) offsets.#note({ ...at, offset });
    }
    for (const { events } of source.rows<{ events: string }>(
      "SELECT events FROM mr_operations WHERE events IS NOT NULL",
    ))
      for (const place of JSON.parse(events) as EventPlace[]) offsets.#note(place);
    for (const marks of offsets.#marks.values()) marks.sort((a, b) => a - b);
    return offsets;
  }

  /** Where the new log's partitions begin. */
  begin(topic: string, starts: readonly number[]): void {
    this.#starts.set(topic, starts);
  }

  /** A record of the file, in order: the new log has it behind those of its partition before it. */
  pass({ topic, partition, offset, source, id }: Mark & EventName): void {
    const place = placeOf(topic, partition);
    const marks = this.#marks.get(place) ?? [];
    const count = this.#counts.get(place) ?? 0;
    let next = this.#next.get(place) ?? 0;
    for (; next < marks.length && (marks[next] as number) <= offset; next += 1) {
      const mark = marks[next] as number;
      this.#moved.set(`${place}/${mark}`, count);
      if (mark === offset) this.#names.set(`${place}/${mark}`, { source, id });
    }
    this.#next.set(place, next);
    this.#counts.set(place, count + 1);
  }

  /** The new offset; of what lies behind the last record, the end. */
  moved({ topic, partition, offset }: Mark): number {
    const place = placeOf(topic, partition);
    const count = this.#moved.get(`${place}/${offset}`) ?? this.#counts.get(place) ?? 0;
    return (this.#starts.get(topic)?.[partition] ?? 0) + count;
  }

  ranges(at: Omit<Mark, "offset">, ranges: readonly Range[]): Range[] {
    return ranges
      .map(([start, end]): Range => [this.moved({ ...at, offset: start }), this.moved({ ...at, offset: end })])
      .filter(([start, end]) => start < end);
  }

  /** What the log calls the event there; undefined when retention has removed it. */
  name({ topic, partition, offset }: Mark): EventName | undefined {
    return this.#names.get(`${placeOf(topic, partition)}/${offset}`);
  }

  #note({ topic, partition, offset }: Mark): void {
    const place = placeOf(topic, partition);
    const marks = this.#marks.get(place);
    if (marks === undefined) this.#marks.set(place, [offset]);
    else marks.push(offset);
  }
}

const placeOf = (topic: string, partition: number) => `${topic}/${partition}`;
