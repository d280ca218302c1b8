import type { LogRecord } from "../log/log.js";
import type { Store } from "../store/store.js";
import type { Amendment } from "../store/unit.js";

/** What operators have changed for one consumer: applied wherever it reads the event, in this and every later run. */
export class Amendments {
  #byPlace = new Map<string, Amendment>();

  async load(store: Store, consumer: string): Promise<void> {
    const amendments = await store.readAmendments(consumer);
    this.#byPlace = new Map(amendments.map((one) => [placeOf(one), one]));
  }

  /** The record as this consumer is to see it; undefined when it was skipped. */
  apply(record: LogRecord): LogRecord | undefined {
    if (this.#byPlace.size === 0) return record;
    const amendment = this.#byPlace.get(placeOf(record));
    if (amendment === undefined) return record;
    if (amendment.act === "skip") return undefined;
    return {
      ...record,
      id: amendment.id ?? record.id,
      causationId: record.id,
      data: JSON.parse(amendment.data ?? "null"),
      bytes: undefined,
    };
  }
}

function placeOf(at: { readonly topic: string; readonly partition: number; readonly offset: number }): string {
  return `${at.topic}/${at.partition}/${at.offset}`;
}
