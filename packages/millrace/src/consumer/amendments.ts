import type { LogRecord } from "../log/log.js";
import type { Store } from "../store/store.js";
import type { Amendment, Effects, EventIdentity } from "../store/unit.js";

/** What operators have changed for one consumer: applied wherever it reads the event, in this and every later run. */
export class Amendments {
  #byPlace = new Map<string, Amendment>();
  /** By the event itself, where the log may hold it at several offsets. */
  #byEvent = new Map<string, Amendment>();
  #mutes = new Map<string, number>();

  async load(store: Store, consumer: string): Promise<void> {
    const amendments = await store.readAmendments(consumer);
    const mutes = await store.readMutes(consumer);
    this.#mutes = new Map(mutes.map(({ topic, partition, until }) => [`${topic}/${partition}`, until]));
    this.#byPlace = new Map(amendments.map((one) => [placeOf(one), one]));
    this.#byEvent = new Map(amendments.flatMap((one) => (one.event === undefined ? [] : [[nameOf(one.event), one]])));
  }

  /** What of a run's effects is to be stored: of one that an operator has muted, documents and statements alone. */
  heard({ topic, partition, offset }: LogRecord, effects: Effects): Effects {
    if (this.#mutes.size === 0) return effects;
    const until = this.#mutes.get(`${topic}/${partition}`);
    return until === undefined || offset >= until ? effects : muted(effects);
  }

  /** The record as this consumer is to see it; undefined when it was skipped. */
  apply(record: LogRecord): LogRecord | undefined {
    if (this.#byPlace.size === 0) return record;
    const amendment = this.#byPlace.get(placeOf(record)) ?? this.#byEvent.get(nameOf(record));
    if (amendment === undefined) return record;
    if (amendment.act === "skip") return undefined;
    if (amendment.id === record.id) return record;
    return {
      ...record,
      id: amendment.id ?? record.id,
      version: amendment.version ?? record.version,
      causationId: record.id,
      data: JSON.parse(amendment.data ?? "null"),
      bytes: undefined,
    };
  }
}

/** Effects of which the outside hears nothing. */
function muted({ records: _, timers: __, cancels: ___, snapshot: ____, ...kept }: Effects): Effects {
  return kept;
}

function nameOf({ source, id }: EventIdentity): string {
  return `${source}\n${id}`;
}

function placeOf(at: { readonly topic: string; readonly partition: number; readonly offset: number }): string {
  return `${at.topic}/${at.partition}/${at.offset}`;
}
