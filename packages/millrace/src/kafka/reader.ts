import type { Awaitable, Batch, LogReader, LogRecord, ReadRequest, RecordPlace } from "../log/log.js";
import type { Cluster } from "./cluster.js";
import type { DecodePlace } from "./decode.js";
import type { Directory, TopicPlace } from "./directory.js";
import { type FetchBounds, LogFetcher, type Wanted } from "./fetcher.js";
import type { Memory } from "./memory.js";
import { Run, type Taking } from "./run.js";
import type { Tail } from "./tail.js";

const bounds: FetchBounds = { bytesMax: 4 << 20, partitionBytesMax: 1 << 20 };
/** A record is fetched with the batch it is in, which comes whole whatever its size. */
const oneRecord: FetchBounds = { bytesMax: 1, partitionBytesMax: 1 };

/** Where the parts of a reader are. */
export interface ReaderParts {
  readonly cluster: Cluster;
  readonly directory: Directory;
  readonly memory: Memory;
  readonly tail: Tail;
}

/** Reads partitions forward: from memory at once where it can, from their leaders where it has to. */
export class PartitionReader implements Pick<LogReader, "read" | "record"> {
  readonly #parts: ReaderParts;
  readonly #fetcher: LogFetcher;
  #turn = 0;

  constructor(parts: ReaderParts) {
    this.#parts = parts;
    this.#fetcher = new LogFetcher(parts.cluster, parts.directory);
  }

  read(request: ReadRequest): Awaitable<Batch> {
    const place = this.#parts.directory.peek(request.topic);
    if (place !== undefined) {
      const wanted = wantedOf(request);
      if (wanted.every((one) => this.#knows(place, one))) return this.#collect(place, request);
    }
    return this.#parts.cluster.patiently(`reading ${request.topic}`, () => this.#fetch(request));
  }

  record({ topic, partition, offset }: RecordPlace): Awaitable<LogRecord | undefined> {
    const { directory, memory } = this.#parts;
    const place = directory.peek(topic);
    if (place !== undefined) {
      const at = placeOf(place, partition);
      if (memory.has(at, offset)) return memory.record(at, offset);
    }
    return this.#parts.cluster.patiently(`reading ${topic}/${partition}@${offset}`, async () => {
      try {
        const [came] = await this.#fetcher.fetch(topic, [{ partition, offset }], oneRecord);
        return came === undefined ? undefined : new Run(came.place, came.cursor).find(offset);
      } catch (error) {
        if (isOutOfRange(error)) return undefined;
        throw error;
      }
    });
  }

  /** Something of it is in memory, or its end is known to be here. */
  #knows(place: TopicPlace, { partition, offset }: Wanted): boolean {
    const { memory, tail } = this.#parts;
    return tail.isEnd(place, partition, offset) || memory.has(placeOf(place, partition), offset);
  }

  async #fetch(request: ReadRequest): Promise<Batch> {
    const { directory, memory, tail } = this.#parts;
    const place = await directory.get(request.topic);
    const unknown = wantedOf(request).filter((one) => !this.#knows(place, one));
    if (unknown.length > 0 && unknown.every(({ partition, offset }) => tail.brings(place, partition, offset)))
      await tail.turned();
    const missing = unknown.filter((one) => !this.#knows(place, one));
    const turn = this.#turn % Math.max(1, missing.length);
    const inTurn = [...missing.slice(turn), ...missing.slice(0, turn)];
    const came = inTurn.length === 0 ? [] : await this.#fetcher.fetch(request.topic, inTurn, bounds);
    for (const { place: at, wanted, cursor, stable } of came) {
      const { end } = cursor;
      if (end > wanted.offset) memory.add(at, cursor);
      if (end >= stable) tail.follow(place, wanted.partition, end);
    }
    return this.#collect(place, request);
  }

  /** What is in memory: a share of each partition first, then what there is room for. */
  #collect(place: TopicPlace, request: ReadRequest): Batch {
    const { memory, tail } = this.#parts;
    const wanted = wantedOf(request);
    const next = [...request.from];
    const taken: Taking = { records: [], sizes: [], recordsLeft: request.recordsMax, bytesLeft: request.bytesMax };
    this.#turn += 1;
    const share = Math.max(1, Math.ceil(request.recordsMax / Math.max(1, wanted.length)));
    for (const records of [share, request.recordsMax])
      for (let n = 0; n < wanted.length && taken.recordsLeft > 0 && taken.bytesLeft > 0; n += 1) {
        const { partition } = wanted[(n + this.#turn) % wanted.length] as Wanted;
        const part = { ...taken, recordsLeft: Math.min(records, taken.recordsLeft) };
        const before = part.recordsLeft;
        next[partition] = memory.take(placeOf(place, partition), next[partition] as number, part);
        taken.recordsLeft -= before - part.recordsLeft;
        taken.bytesLeft = part.bytesLeft;
      }
    return {
      records: taken.records,
      sizes: taken.sizes,
      next,
      atEnd: wanted.every(({ partition }) => tail.isEnd(place, partition, next[partition] as number)),
      bytes: taken.sizes.reduce((sum, size) => sum + size, 0),
    };
  }
}

function wantedOf({ from }: ReadRequest): readonly Wanted[] {
  return from.flatMap((offset, partition) => (offset < 0 ? [] : [{ partition, offset }]));
}

function placeOf({ topic, kafkaTopic, id, foreign, unmapped }: TopicPlace, partition: number): DecodePlace {
  return { topic, kafkaTopic, id, partition, foreign, unmapped };
}

function isOutOfRange(error: unknown): boolean {
  const { details } = error as { details?: { offset?: unknown } };
  return details?.offset !== undefined;
}
