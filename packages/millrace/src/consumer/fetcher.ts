import type { OpenEngine } from "../engine/engine.js";
import { verdictOf } from "../failure/failure.js";
import type { Batch, LogRecord } from "../log/log.js";
import type { Cancel, Clock } from "../runtime/clock.js";
import type { Logger } from "../runtime/logger.js";
import type { Position } from "../store/unit.js";
import type { Committer } from "./committer.js";
import { PartitionFeed, TopicFeed } from "./feed.js";

const passEveryMs = 1000;
/** A log that cannot be reached is asked again after a while. */
const againMs = 1000;

/** What a fetcher needs of its consumer. */
export interface FetcherHost {
  readonly engine: OpenEngine;
  readonly committer: Committer;
  readonly clock: Clock;
  readonly logger: Logger;
  /** How many records may be fetched at a time, at this moment. */
  recordsMax(): number;
  /** Dispatches a record, or lets it pass by. */
  take(partition: PartitionFeed, record: LogRecord, bytes: number): void;
  /** The record as operators have amended it; undefined when they skipped it. */
  amend(record: LogRecord): LogRecord | undefined;
  wake(): void;
  stop(error: unknown): void;
}

/** Reads a consumer's topics, a batch at a time and in turn. */
export class Fetcher {
  readonly #host: FetcherHost;
  #feeds: TopicFeed[] = [];
  #home: TopicFeed | undefined;
  #cancelPass: Cancel | undefined;

  constructor(host: FetcherHost) {
    this.#host = host;
  }

  /** Knows the topics, in the order of their declaration, and how many partitions each has. */
  open(topics: readonly { readonly topic: string; readonly partitions: number }[]): void {
    this.#feeds = topics.map(({ topic, partitions }) => new TopicFeed(topic, partitions));
    // The topic with the most partitions is the lanes' home; the feeds' order changes, this does not.
    let home: TopicFeed | undefined;
    for (const feed of this.#feeds)
      if (home === undefined || feed.partitions.length > home.partitions.length) home = feed;
    this.#home = home;
  }

  /** Begins to read a partition where its position is. */
  take(position: Position): void {
    const feed = this.#feeds.find(({ topic }) => topic === position.topic);
    if (feed === undefined) return;
    const reread = (offset: number) => this.#reread(position, offset);
    feed.partitions[position.partition] = new PartitionFeed(position, reread);
    feed.atEnd = false;
  }

  /** Reads no further in a partition. */
  drop(position: Position): PartitionFeed | undefined {
    const feed = this.#feeds.find(({ topic }) => topic === position.topic);
    const partition = feed?.partitions[position.partition];
    if (feed === undefined || partition?.position.id !== position.id) return undefined;
    feed.partitions[position.partition] = undefined;
    partition.left = true;
    return partition;
  }

  /** The positions that are being read. */
  get held(): readonly Position[] {
    return this.#feeds.flatMap(({ partitions }) =>
      partitions.filter((partition) => partition !== undefined).map(({ position }) => position),
    );
  }

  /** Reads one record again: a handler may have changed the data it was given. */
  #reread({ topic, partition }: Position, offset: number): LogRecord | undefined {
    const record = this.#host.engine.log.record({ topic, partition, offset });
    if (!(record instanceof Promise)) return record === undefined ? undefined : this.#host.amend(record);
    // Nobody waits for it: what it has come to, good or bad, is nobody's.
    record.catch(() => undefined);
    return undefined;
  }

  /** Nothing more is to run: what was fetched is not kept in memory. */
  clear(): void {
    for (const feed of this.#feeds) for (const partition of feed.partitions) partition?.outstanding.clear();
  }

  /** How many homes there are for lanes. */
  get homes(): number {
    return this.#home?.partitions.length ?? 0;
  }

  /** The position under whose epoch the lanes of a home run; undefined when another process has it. */
  homeAt(home: number): Position | undefined {
    return this.#home?.partitions[home]?.position;
  }

  /** The one of these positions under whose epoch the lanes of a home run. */
  homeAmong(positions: readonly Position[], home: number): Position | undefined {
    const of = this.#home;
    if (of === undefined) return undefined;
    return positions.find(({ topic, partition }) => topic === of.topic && partition === home % of.partitions.length);
  }

  get partitions(): readonly PartitionFeed[] {
    return this.#feeds.flatMap((feed) => feed.partitions.filter((partition) => partition !== undefined));
  }

  /** A partition is not read further until its oldest unfinished event is done. */
  get full(): boolean {
    return this.#feeds.some((feed) => feed.partitions.some((partition) => partition?.full === true));
  }

  get atEnd(): boolean {
    return this.#feeds.every((feed) => feed.atEnd && !feed.reading);
  }

  /** A batch is on its way. */
  get reading(): boolean {
    return this.#feeds.some((feed) => feed.reading);
  }

  /** Partitions were moved back. */
  readAgain(): void {
    for (const feed of this.#feeds) feed.readAgain();
  }

  /** Some topics grew. */
  appended(topics: readonly string[]): void {
    for (const feed of this.#feeds) {
      if (!topics.includes(feed.topic)) continue;
      feed.appended();
      this.#host.wake();
    }
  }

  /** One batch a turn, of the topics in turn, so that no backlog holds up the other topics or consumers. */
  next(bytesMax = Number.POSITIVE_INFINITY): void {
    const at = this.#feeds.findIndex((feed) => this.#fetch(feed, bytesMax));
    if (at >= 0) this.#feeds.push(...this.#feeds.splice(at, 1));
  }

  #fetch(feed: TopicFeed, bytesMax: number): boolean {
    if (feed.atEnd || feed.reading) return false;
    const request = feed.request({ bytesMax, recordsMax: this.#host.recordsMax() });
    if (request === undefined) return false;
    let batch: Batch | Promise<Batch>;
    try {
      batch = this.#host.engine.log.read(request);
    } catch (error) {
      this.#host.stop(error);
      return true;
    }
    if (batch instanceof Promise) {
      feed.reading = true;
      for (const partition of feed.partitions) if (partition !== undefined) partition.remote = true;
      const asked = feed.partitions.map((partition) => ({ partition, rewinds: partition?.rewinds }));
      batch.then(
        (read) => {
          feed.reading = false;
          const still = asked.map((one) => (one.partition?.rewinds === one.rewinds ? one.partition : undefined));
          this.#dispatch(feed, read, still);
          this.#host.wake();
        },
        (error) => this.#failed(feed, error),
      );
    } else if (!this.#dispatch(feed, batch, feed.partitions) && !feed.atEnd) {
      // What is left is in full partitions: the next acknowledgement wakes the consumer.
      return false;
    }
    if (this.#feeds.some((other) => !other.atEnd)) setImmediate(() => this.#host.wake());
    return true;
  }

  /** A log elsewhere that is away comes back; anything else halts the consumer. */
  #failed(feed: TopicFeed, error: unknown): void {
    if (verdictOf(error) !== "retry") {
      this.#host.stop(error);
      return;
    }
    this.#host.logger.warn({ topic: feed.topic, err: error }, `${feed.topic} cannot be read; trying again`);
    this.#host.clock.after(againMs, () => {
      feed.reading = false;
      this.#host.wake();
    });
  }

  /** Records of a partition that was dropped, or begun anew, since they were `asked` for are left alone. */
  #dispatch(feed: TopicFeed, batch: Batch, asked: TopicFeed["partitions"]): boolean {
    batch.records.forEach((record, index) => {
      const partition = feed.partitions[record.partition];
      if (partition !== undefined && partition === asked[record.partition])
        this.#host.take(partition, record, batch.sizes[index] as number);
    });
    this.#passLater();
    return feed.read(batch, asked);
  }

  #passLater(): void {
    this.#cancelPass ??= this.#host.clock.after(passEveryMs, () => this.pass());
  }

  /**
   * Has stored what passed by behind the last dispatched event of each partition. The next event's claim covers it
   * anyway, so this is done now and then only: a write per partition and batch would cost more than the events do.
   */
  pass(store = true): void {
    this.#cancelPass?.();
    this.#cancelPass = undefined;
    if (!store) return;
    for (const feed of this.#feeds)
      for (const partition of feed.partitions) {
        if (partition === undefined || partition.claimed >= partition.scanned) continue;
        // What is between may be on its way through a bulk.
        if (partition.arrived > 0 || partition.folding !== undefined) {
          this.#passLater();
          continue;
        }
        this.#host.committer.passed({ position: partition.position, start: partition.claimed, end: partition.scanned });
        partition.claimed = partition.scanned;
      }
  }
}
