import type { LogReader, LogRecord } from "../log/log.js";

/** One partition of a search: what is still to be looked at of it is [from, to). */
export class Track {
  readonly topic: string;
  readonly partition: number;
  from: number;
  to: number;
  /** Read, and not looked at yet: the next one is the last of them. */
  readonly buffer: LogRecord[] = [];
  /** Going forwards, what is below it has been read; going backwards, what is not below it. */
  read: number;

  constructor(place: { readonly topic: string; readonly partition: number }, from: number, to: number) {
    this.topic = place.topic;
    this.partition = place.partition;
    this.from = from;
    this.to = Math.max(from, to);
    this.read = from;
  }

  /** Nothing is left to be read of it. */
  isRead(backwards: boolean): boolean {
    return backwards ? this.read <= this.from : this.read >= this.to;
  }
}

/** How tracks are read. */
export interface Reading {
  readonly backwards: boolean;
  /** About how many records are looked at before somebody has enough. */
  readonly wanted: number;
}

const chunkBytes = 1024 * 1024;
const chunkRecords = { min: 16, max: 2_000 };

/** Records of many partitions in the order of the log's clock, read as they are needed. */
export class Tracks {
  readonly all: readonly Track[];
  bytes = 0;
  readonly #log: LogReader;
  readonly #backwards: boolean;
  #chunk: number;

  constructor(log: LogReader, tracks: readonly Track[], { backwards, wanted }: Reading) {
    this.#log = log;
    this.all = tracks;
    this.#backwards = backwards;
    const fair = Math.ceil((2 * wanted) / Math.max(1, tracks.length));
    this.#chunk = Math.max(chunkRecords.min, Math.min(chunkRecords.max, fair));
    if (backwards) for (const track of tracks) track.read = track.to;
  }

  /** The track whose next record is the oldest, or the newest; undefined when all have been looked at. */
  async next(): Promise<Track | undefined> {
    await this.#fill();
    let best: Track | undefined;
    for (const track of this.all) {
      const head = track.buffer.at(-1);
      if (head === undefined) continue;
      if (best === undefined || this.#isBefore(head, best.buffer.at(-1) as LogRecord)) best = track;
    }
    return best;
  }

  /** Takes a track's next record: it has been looked at. */
  take(track: Track): LogRecord {
    const record = track.buffer.pop() as LogRecord;
    if (this.#backwards) track.to = record.offset;
    else track.from = record.offset + 1;
    if (track.buffer.length === 0 && track.isRead(this.#backwards)) this.#finish(track);
    return record;
  }

  /** Nothing is left to be looked at. */
  done(): boolean {
    return this.all.every((track) => track.buffer.length === 0 && track.isRead(this.#backwards));
  }

  #isBefore(a: LogRecord, b: LogRecord): boolean {
    return this.#backwards ? a.appended > b.appended : a.appended < b.appended;
  }

  #finish(track: Track): void {
    if (this.#backwards) track.to = track.from;
    else track.from = track.to;
  }

  /** Reads on where the next record of a partition is not known: until it is, none is the first. */
  async #fill(): Promise<void> {
    for (;;) {
      const empty = this.all.filter((track) => track.buffer.length === 0 && !track.isRead(this.#backwards));
      if (empty.length === 0) return;
      const topics = groupByTopic(empty);
      for (const [topic, tracks] of topics)
        if (this.#backwards) await this.#readBack(topic, tracks);
        else await this.#readOn(topic, tracks);
      if (this.#backwards && empty.every(({ buffer }) => buffer.length === 0)) this.#chunk *= 4;
    }
  }

  async #readOn(topic: string, tracks: readonly Track[]): Promise<void> {
    const recordsMax = this.#chunk * tracks.length;
    const batch = await this.#log.read({ topic, from: starts(tracks), recordsMax, bytesMax: chunkBytes });
    this.bytes += batch.bytes;
    const byPartition = new Map(tracks.map((track) => [track.partition, track]));
    for (let at = batch.records.length - 1; at >= 0; at -= 1) {
      const record = batch.records[at] as LogRecord;
      const track = byPartition.get(record.partition);
      if (track !== undefined && record.offset < track.to) track.buffer.push(record);
    }
    for (const track of tracks) {
      const next = batch.next[track.partition] as number;
      // Where the log has nothing more, offsets up to the end hold no record.
      const stuck = batch.records.length === 0 && next <= track.read;
      track.read = batch.atEnd || stuck ? track.to : Math.max(track.read, next);
      if (track.buffer.length === 0) track.from = Math.min(track.read, track.to);
    }
  }

  /** There is no reading backwards: pieces are read forwards, each below the one before. */
  async #readBack(topic: string, tracks: readonly Track[]): Promise<void> {
    const goals = new Map(tracks.map((track) => [track.partition, { track, to: track.read }]));
    for (const track of tracks) track.read = Math.max(track.from, track.read - this.#chunk);
    const next = new Map(tracks.map((track) => [track.partition, track.read]));
    const found = new Map<number, LogRecord[]>(tracks.map(({ partition }) => [partition, []]));
    while (next.size > 0) {
      const from = starts([...next].map(([partition, read]) => ({ partition, read })));
      const recordsMax = this.#chunk * next.size;
      const batch = await this.#log.read({ topic, from, recordsMax, bytesMax: chunkBytes });
      this.bytes += batch.bytes;
      for (const record of batch.records)
        if (record.offset < (goals.get(record.partition)?.to ?? 0)) found.get(record.partition)?.push(record);
      for (const [partition, read] of [...next]) {
        const on = batch.next[partition] as number;
        const stuck = batch.records.length === 0 && on <= read;
        if (batch.atEnd || stuck || on >= (goals.get(partition)?.to ?? 0)) next.delete(partition);
        else next.set(partition, on);
      }
    }
    for (const track of tracks) {
      track.buffer.push(...(found.get(track.partition) ?? []));
      if (track.buffer.length === 0) track.to = track.read;
    }
  }
}

function starts(tracks: readonly { readonly partition: number; readonly read: number }[]): number[] {
  const from = new Array<number>(Math.max(...tracks.map(({ partition }) => partition)) + 1).fill(-1);
  for (const { partition, read } of tracks) from[partition] = read;
  return from;
}

function groupByTopic(tracks: readonly Track[]): Map<string, Track[]> {
  const topics = new Map<string, Track[]>();
  for (const track of tracks) topics.set(track.topic, [...(topics.get(track.topic) ?? []), track]);
  return topics;
}
