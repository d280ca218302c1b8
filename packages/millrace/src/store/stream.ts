import type { LogRecord } from "../log/log.js";

/** An aggregate's events: those of one key of its topic. */
export interface StreamName {
  readonly topic: string;
  readonly key: string;
}

/** A stream as somebody read it. `version` is the sequence of its last event, 0 when it has none. */
export interface StreamRead extends StreamName {
  readonly version: number;
}

/** Which events of a stream to read: at most `limit`, those with a sequence above `after`. */
export interface StreamQuery extends StreamName {
  readonly after: number;
  readonly limit: number;
}

/**
 * A page of a stream, in order, each with its `sequence` among its headers. It may end before its limit, when its events
 * are large: the stream is read when a page's last event has the sequence `version`.
 *
 * The store's stream is the truth. Where the log is a copy of it, an offset is −1 until the event is there.
 */
export interface StreamPage {
  readonly records: readonly LogRecord[];
  /** The sequence of the stream's last event when the page was read, 0 when it has none. */
  readonly version: number;
}

/** What an aggregate's events came to, kept so that they need not be folded again. It may go at any time. */
export interface Snapshot extends StreamRead {
  /** Which `evolve` made it: others do not read it. */
  readonly fold: number;
  /** The state as JSON. */
  readonly text: string;
}
