import type { LogRecord } from "../log/log.js";
import type { DeadGroup } from "../store/inspect.js";
import type { JobExport } from "../store/jobs.js";
import type { Armed } from "../store/timer.js";
import type { Amendment, EntryFailure, EntryState, LaneEntry } from "../store/unit.js";

/** An event as JSON. Times are ISO; `bytes` is base64, for what is not JSON. */
export interface EventView {
  readonly id: string;
  readonly source: string;
  readonly type: string;
  readonly version: number;
  readonly key: string;
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly time: string;
  readonly appended: string;
  readonly correlationId: string;
  readonly causationId?: string;
  readonly hops: number;
  readonly actor?: string;
  readonly traceparent?: string;
  readonly sequence?: number;
  /** Of a command: who is told what becomes of it. Of an event: to which command it replies. */
  readonly replyTo?: string;
  readonly data?: unknown;
  readonly bytes?: string;
}

/** An event that waits in its lane. */
export interface EntryView {
  readonly entry: number;
  readonly consumer: string;
  readonly lane: string;
  readonly state: EntryState;
  /** Whether later events of the key wait behind it. */
  readonly holds: boolean;
  /** Runs so far. */
  readonly attempt: number;
  readonly redrives: number;
  readonly since: string;
  /** The next attempt, when it is parked. */
  readonly due?: string;
  readonly failure?: EntryFailure;
  readonly event: EventView;
  /** What an operator put in place of the event. */
  readonly edited?: { readonly id: string; readonly data: unknown; readonly reason: string; readonly actor: string };
}

/** Dead letters that fail alike. */
export interface DeadGroupView {
  readonly fingerprint?: string;
  readonly count: number;
  /** Lanes that they stand in. */
  readonly keys: number;
  readonly consumers: readonly string[];
  /** When the first and the last of them died. */
  readonly first: string;
  readonly last: string;
  /** The oldest of them, and why it died. */
  readonly example: { readonly entry: number; readonly type: string; readonly failure?: EntryFailure };
}

/** Dead letters that fail alike, as JSON. */
export function groupView({ fingerprint, first, last, example, ...counts }: DeadGroup): DeadGroupView {
  const { entry, record, failure } = example;
  return {
    ...(fingerprint === undefined ? {} : { fingerprint }),
    ...counts,
    first: iso(first),
    last: iso(last),
    example: { entry, type: record.type, ...(failure === undefined ? {} : { failure }) },
  };
}

/** What a job has taken away, as JSON: an event that waited in a lane, or a timer. */
export type JobExportView = { readonly seq: number } & (
  | ({ readonly kind: "entry" } & EntryView)
  | {
      readonly kind: "timer";
      readonly service: string;
      readonly name?: string;
      readonly due: string;
      /** Whose run of which event has armed it. */
      readonly armed?: Armed;
      /** What it would have published or sent. */
      readonly message: { readonly id: string; readonly type: string; readonly key: string; readonly data: unknown };
    }
);

/** What a job has taken away, as people and programs read it. */
export function exportView(kept: JobExport): JobExportView {
  const { seq } = kept;
  if (kept.kind === "entry") return { seq, kind: "entry", ...entryView(kept.entry, undefined) };
  const { service, name, due, armed, record } = kept.timer;
  const { id, type, key, data } = record;
  const shown = typeof data === "string" ? (JSON.parse(data) as unknown) : Buffer.from(data).toString("base64");
  return {
    seq,
    kind: "timer",
    service,
    ...(name === undefined ? {} : { name }),
    due: iso(due),
    ...(armed === undefined ? {} : { armed }),
    message: { id, type, key, data: shown },
  };
}

/** A record as people and programs read it. */
export function eventView(record: LogRecord): EventView {
  const { headers } = record;
  return {
    id: record.id,
    source: record.source,
    type: record.type,
    version: record.version,
    key: record.key,
    topic: record.topic,
    partition: record.partition,
    offset: record.offset,
    time: iso(record.time),
    appended: iso(record.appended),
    correlationId: record.correlationId,
    ...(record.causationId === undefined ? {} : { causationId: record.causationId }),
    hops: record.hops,
    ...(headers?.actor === undefined ? {} : { actor: headers.actor }),
    ...(headers?.traceparent === undefined ? {} : { traceparent: headers.traceparent }),
    ...(headers?.sequence === undefined ? {} : { sequence: headers.sequence }),
    ...(headers?.replyto === undefined ? {} : { replyTo: headers.replyto }),
    ...(record.bytes === undefined ? { data: record.data } : { bytes: Buffer.from(record.bytes).toString("base64") }),
  };
}

/** A lane entry, with the edit that was made of it, if any. */
export function entryView(entry: LaneEntry, amendment: Amendment | undefined): EntryView {
  const edited = amendment?.act === "replace" && amendment.id !== undefined && amendment.data !== undefined;
  return {
    entry: entry.entry,
    consumer: entry.consumer,
    lane: entry.lane,
    state: entry.state,
    holds: entry.holds,
    attempt: entry.attempt,
    redrives: entry.redrives,
    since: iso(entry.since),
    ...(entry.state === "parked" ? { due: iso(entry.due) } : {}),
    ...(entry.failure === undefined ? {} : { failure: entry.failure }),
    event: eventView(entry.record),
    ...(edited
      ? {
          edited: {
            id: amendment.id as string,
            data: JSON.parse(amendment.data as string),
            reason: amendment.reason,
            actor: amendment.actor,
          },
        }
      : {}),
  };
}

/** ISO 8601; a time that no calendar has, which foreign records may carry, stays a number. */
export function iso(ms: number): string {
  const date = new Date(ms);
  return Number.isNaN(date.getTime()) ? String(ms) : date.toISOString();
}
