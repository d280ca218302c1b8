import type { NewRecord } from "../../log/log.js";
import { mayBeAmended } from "../../store/dead-letter.js";
import type { StreamRead } from "../../store/stream.js";
import type { Claim, DocumentWrite, IndexEntry, NewEntry, NewOperation, Unit } from "../../store/unit.js";
import { absentLock, amendmentLock, Locks, laneLock } from "../locks.js";
import { documentKey, eventKey, type Group, laneKey, streamKey, uniqueKey } from "./group.js";

/** A document that a group reads or writes. */
export interface WantedDocument {
  readonly type: string;
  readonly id: string;
  /** It is written: its row is locked for this transaction alone. */
  written: boolean;
}

/** A value that a document of the group is to have alone. */
export interface WantedValue {
  readonly type: string;
  readonly entry: IndexEntry;
}

/** What a group is to lock and to read, before it is checked. */
export class Wants {
  readonly locks = new Locks();
  readonly positions = new Set<number>();
  /** By service. */
  readonly documents = new Map<string, Map<string, WantedDocument>>();
  readonly values = new Map<string, WantedValue>();
  readonly streams = new Map<string, StreamRead>();
  readonly lanes = new Map<string, { readonly consumer: string; readonly lane: string }>();
  readonly entries = new Set<number>();
  /** Dead letters of views: their events may have been amended meanwhile. */
  readonly letters: NewEntry[] = [];
  readonly timers = new Set<number>();
  readonly schedules = new Set<string>();
  readonly operations: NewOperation[] = [];
  readonly named = new Map<string, NewRecord>();
  /** Of a group that is sent again: events without a claim of their own. */
  readonly sent: NewRecord[] = [];

  constructor(
    { place, units, progress, resent }: Group,
    laneOf: ReadonlyMap<number, readonly [consumer: string, lane: string]>,
  ) {
    for (const { position } of progress) this.positions.add(position.id);
    for (const unit of units) {
      this.#claim(unit, laneOf);
      this.#documents(unit);
      if (unit.stream !== undefined) this.#stream(place.service, unit.stream);
      const { records, entry, timers, cancels } = unit.effects;
      if (resent && unit.claim.type === "publish" && records !== undefined) this.sent.push(...records);
      if (entry !== undefined) this.#lane(entry, true);
      if (entry !== undefined && mayBeAmended(entry)) this.#letter(entry);
      if (records !== undefined) for (const record of records) if (record.named) this.#named(record);
      if (timers !== undefined)
        for (const { service, name } of timers) if (name !== undefined) this.locks.alone(`timer/${service}/${name}`);
      if (cancels !== undefined) for (const { service, name } of cancels) this.locks.alone(`timer/${service}/${name}`);
    }
  }

  #letter(entry: NewEntry): void {
    this.letters.push(entry);
    this.locks.alone(amendmentLock(entry.consumer, entry.record));
  }

  #claim({ claim, lane }: Unit, laneOf: ReadonlyMap<number, readonly [consumer: string, lane: string]>): void {
    switch (claim.type) {
      case "record":
        this.positions.add(claim.position.id);
        if (lane !== undefined) this.#lane({ consumer: claim.position.consumer, lane }, false);
        return;
      case "records":
        this.#records(claim);
        return;
      case "lane-entry": {
        this.positions.add(claim.position.id);
        this.entries.add(claim.entry);
        const [consumer, of] = laneOf.get(claim.entry) ?? [];
        if (consumer !== undefined && of !== undefined) this.#lane({ consumer, lane: of }, true);
        return;
      }
      case "timer":
        this.timers.add(claim.timer);
        return;
      case "tick":
        this.schedules.add(claim.schedule);
        return;
      case "operation": {
        const { id, idempotency } = claim.operation;
        this.operations.push(claim.operation);
        this.locks.alone(`operation/${id}`);
        if (idempotency !== undefined) this.locks.alone(`idempotency/${idempotency.scope}/${idempotency.key}`);
      }
    }
  }

  #records({ parts, lanes }: Extract<Claim, { type: "records" }>): void {
    for (const { position } of parts) this.positions.add(position.id);
    const consumer = parts[0]?.position.consumer;
    if (consumer !== undefined) for (const lane of lanes) this.#lane({ consumer, lane }, false);
  }

  #lane({ consumer, lane }: { readonly consumer: string; readonly lane: string }, alone: boolean): void {
    this.lanes.set(laneKey(consumer, lane), { consumer, lane });
    const lock = laneLock(consumer, lane);
    if (alone) this.locks.alone(lock);
    else this.locks.share(lock);
  }

  #documents({ reads, effects: { documents } }: Unit): void {
    for (const read of reads) {
      this.#document(read);
      // Whoever makes it takes this lock alone: what was absent stays so until this transaction has ended.
      if (read.version === 0) this.locks.share(absentLock(read.service, read.type, read.id));
    }
    if (documents === undefined) return;
    for (const write of documents) {
      this.#document(write).written = true;
      if (!reads.some((read) => read.version > 0 && read.id === write.id && isOf(read, write)))
        this.locks.alone(absentLock(write.service, write.type, write.id));
      for (const entry of write.indexed) {
        if (!entry.unique || entry.value === null || write.text === undefined) continue;
        const key = `${write.service}/${uniqueKey(write.type, entry)}`;
        this.values.set(key, { type: write.type, entry });
        this.locks.alone(`value/${key}`);
      }
    }
  }

  #document({ service, type, id }: Pick<DocumentWrite, "service" | "type" | "id">): WantedDocument {
    let of = this.documents.get(service);
    if (of === undefined) {
      of = new Map();
      this.documents.set(service, of);
    }
    const key = documentKey({ type, id });
    let wanted = of.get(key);
    if (wanted === undefined) {
      wanted = { type, id, written: false };
      of.set(key, wanted);
    }
    return wanted;
  }

  #stream(service: string, stream: StreamRead): void {
    const key = streamKey(stream);
    this.streams.set(key, stream);
    if (stream.version === 0) this.locks.alone(`stream/${service}/${key}`);
  }

  #named(record: NewRecord): void {
    const key = eventKey(record);
    this.named.set(key, record);
    this.locks.alone(`identity/${key}`);
  }
}

function isOf(a: Pick<DocumentWrite, "service" | "type">, b: Pick<DocumentWrite, "service" | "type">): boolean {
  return a.type === b.type && a.service === b.service;
}
