import { Failure } from "../failure/failure.js";
import type { LogHistory, LogReader, LogRecord } from "../log/log.js";
import { recordFilter } from "./event-filter.js";
import type { EventPage, EventQuery } from "./inspect.js";
import { Track, Tracks } from "./log-tracks.js";

/** A log that can be searched: by reading it. */
export type SearchedLog = LogReader & LogHistory;

/** What one call reads at most; the page then ends early, with `next`. */
const bytesMax = 16 * 1024 * 1024;
const eventsMax = 1_000;

/**
 * Events in the order of the log's clock, across topics; `since` and `until` are append times.
 *
 * Reads at most about 16 MiB of the log: a page may hold fewer events than asked for, even none, and still have a `next`.
 *
 * @throws {Failure} OPTION_INVALID when `after` is not the `next` of a page of this query.
 */
export async function searchLog(log: SearchedLog, topics: readonly string[], query: EventQuery): Promise<EventPage> {
  const backwards = query.newestFirst === true;
  const limit = Math.min(Math.max(1, query.limit), eventsMax);
  const matches = recordFilter(query);
  const tracks = new Tracks(log, await openTracks(log, topics, query), { backwards, wanted: limit });
  const events: LogRecord[] = [];
  while (events.length < limit && tracks.bytes < bytesMax) {
    const track = await tracks.next();
    if (track === undefined) break;
    const record = tracks.take(track);
    if (matches(record)) events.push(record);
  }
  const cursor = encodeCursor(tracks.all, backwards);
  return { events, next: tracks.done() ? undefined : cursor, cursor };
}

/** Where to look for events, and which are meant. */
export interface Sought {
  readonly topics: readonly string[];
  /** In this partition alone. */
  readonly partition?: number;
  /** When the first of them can have reached the log (ms since the epoch). */
  readonly since: number;
  readonly newestFirst?: boolean;
  readonly limit: number;
  readonly bytesMax: number;
  readonly matches: (record: LogRecord) => boolean;
}

/** The first events that match, or the last, of those that have reached the log since a time, within a bound. */
export async function findInLog(log: SearchedLog, sought: Sought): Promise<LogRecord[]> {
  const { topics, partition, since, limit, newestFirst: backwards = false } = sought;
  const all = await openTracks(log, topics, { since: Math.max(0, since), limit });
  const open = all.filter((track) => partition === undefined || track.partition === partition);
  const tracks = new Tracks(log, open, { backwards, wanted: 1_000 });
  const found: LogRecord[] = [];
  while (found.length < limit && tracks.bytes < sought.bytesMax) {
    const track = await tracks.next();
    if (track === undefined) break;
    const record = tracks.take(track);
    if (sought.matches(record)) found.push(record);
  }
  return found;
}

async function openTracks(log: SearchedLog, topics: readonly string[], query: EventQuery): Promise<Track[]> {
  const { since, until, after, newestFirst: backwards = false } = query;
  const resume = after === undefined ? undefined : decodeCursor(after, backwards);
  const tracks: Track[] = [];
  for (const topic of topics) {
    if (query.topic !== undefined && topic !== query.topic) continue;
    const starts = since === undefined ? await log.starts(topic) : await log.offsetsAt(topic, since);
    const ends = until === undefined ? await log.ends(topic) : await log.offsetsAt(topic, until);
    const marks = resume?.get(topic);
    for (const [partition, end] of ends.entries()) {
      let from = starts[partition] ?? 0;
      let to = end;
      if (!backwards) from = Math.max(from, marks?.[partition] ?? 0);
      // Backwards, a topic that was made after the first page is newer than all that this search is about.
      else if (resume !== undefined) to = Math.min(to, marks?.[partition] ?? 0);
      tracks.push(new Track({ topic, partition }, from, to));
    }
  }
  return tracks;
}

type Cursor = [direction: "n" | "o", marks: [topic: string, offsets: number[]][]];

function encodeCursor(tracks: readonly Track[], backwards: boolean): string {
  const marks = new Map<string, number[]>();
  for (const { topic, partition, from, to } of tracks) {
    const offsets = marks.get(topic) ?? [];
    offsets[partition] = backwards ? to : from;
    marks.set(topic, offsets);
  }
  const cursor: Cursor = [backwards ? "n" : "o", [...marks]];
  return Buffer.from(JSON.stringify(cursor)).toString("base64url");
}

function decodeCursor(text: string, backwards: boolean): ReadonlyMap<string, readonly number[]> {
  try {
    const [direction, marks] = JSON.parse(Buffer.from(text, "base64url").toString()) as Cursor;
    const sound =
      direction === (backwards ? "n" : "o") &&
      marks.every(([topic, offsets]) => typeof topic === "string" && offsets.every((n) => Number.isSafeInteger(n)));
    if (sound) return new Map(marks);
  } catch {
    // Falls through to the failure below, which says what to do.
  }
  throw new Failure("OPTION_INVALID", "after: not the `next` of a page of this query; start again without it");
}
