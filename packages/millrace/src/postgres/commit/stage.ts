import type { NewRecord } from "../../log/log.js";
import { contentDigest, streamRecords } from "../../store/identity.js";
import type { StreamRead } from "../../store/stream.js";
import type { NewTimer } from "../../store/timer.js";
import type { Claim, ClaimedEvent, NewEntry, Operation, Range, Unit } from "../../store/unit.js";
import { inboxDay } from "../inbox.js";
import { type Facts, idempotencyKey, type PositionFact } from "./facts.js";
import { eventKey, type Group, laneKey, streamKey } from "./group.js";
import { Staged } from "./staged.js";

/** Notes what units change, in what the transaction will write and in the facts that the units behind are checked against. */
export class Stage {
  readonly staged = new Staged();
  readonly #service: string;
  readonly #facts: Facts;
  readonly #now: number;

  constructor({ place }: Group, facts: Facts, now: number) {
    this.#service = place.service;
    this.#facts = facts;
    this.#now = now;
  }

  /** All of a unit that has passed the checks. */
  unit(unit: Unit, index: number): void {
    const { claim, effects, stream } = unit;
    const { staged } = this;
    this.#claim(claim);
    if (effects.records !== undefined) for (const record of effects.records) this.#record(record);
    if (stream !== undefined && effects.records !== undefined) this.#stream(stream, effects.records);
    if (effects.snapshot !== undefined && this.#facts.streams.has(streamKey(effects.snapshot)))
      staged.snapshots.set(streamKey(effects.snapshot), effects.snapshot);
    if (effects.documents !== undefined)
      for (const write of effects.documents) push(staged.documents, write.service, write);
    if (effects.statements !== undefined)
      for (const statement of effects.statements) staged.statements.push({ unit: index, statement });
    if (effects.cancels !== undefined) for (const { service, name } of effects.cancels) this.#disarm(service, name);
    if (effects.timers !== undefined) for (const timer of effects.timers) this.#arm(timer);
    if (effects.audit !== undefined) staged.audit.push(...effects.audit);
    if (effects.result !== undefined) staged.results.push({ result: effects.result, records: effects.records ?? [] });
    if (claim.type === "lane-entry") this.#advance(claim.entry, unit);
    if (effects.entry !== undefined) this.#entry(effects.entry, index);
  }

  /** Marks records of a position as done. */
  finish(position: number, fact: PositionFact, [start, end]: Range): void {
    fact.state.finish(start, end);
    this.staged.positions.set(position, fact);
  }

  /** All that a record's claim covers, and nothing else of its unit. */
  finishRecord(claim: Extract<Claim, { type: "record" }>, fact: PositionFact): void {
    const { id } = claim.position;
    if (claim.covers !== undefined) for (const range of claim.covers) this.finish(id, fact, range);
    this.finish(id, fact, [claim.start, claim.offset + 1]);
    for (const { appended } of claim.events ?? []) fact.handled = Math.max(fact.handled, appended);
  }

  /** How the inbox knows an event of a consumer, in this pass over its partition. */
  inboxKey({ number, pass }: PositionFact, event: ClaimedEvent): string {
    return `${number}/${pass}/${eventKey(event)}`;
  }

  #claim(claim: Claim): void {
    const { staged } = this;
    switch (claim.type) {
      case "record": {
        const fact = this.#facts.positions.get(claim.position.id) as PositionFact;
        this.finishRecord(claim, fact);
        this.#remember(fact, claim.events);
        return;
      }
      case "records":
        for (const { position, ranges, events } of claim.parts) {
          const fact = this.#facts.positions.get(position.id) as PositionFact;
          for (const range of ranges) this.finish(position.id, fact, range);
          for (const { appended } of events ?? []) fact.handled = Math.max(fact.handled, appended);
          this.#remember(fact, events);
        }
        return;
      case "timer":
        staged.fired.add(claim.timer);
        staged.timersChanged = true;
        this.#facts.timers.delete(claim.timer);
        return;
      case "tick":
        staged.ticks.set(claim.schedule, claim.next ?? null);
        this.#facts.schedules.set(claim.schedule, claim.next ?? null);
        return;
      case "operation": {
        const { operation } = claim;
        staged.operations.push(operation);
        const { id, command, key, correlationId, fingerprint, idempotency } = operation;
        const stored: Operation = {
          ...{ id, command, key, correlationId, state: "accepted", fingerprint },
          ...{ created: this.#now, finished: undefined },
        };
        this.#facts.operations.set(id, stored);
        if (idempotency !== undefined) this.#facts.idempotent.set(idempotencyKey(idempotency), stored);
      }
    }
  }

  #remember(fact: PositionFact, events: readonly ClaimedEvent[] | undefined): void {
    if (events === undefined) return;
    const { number, pass: generation } = fact;
    for (const event of events) {
      const { source, id } = event;
      this.staged.inbox.set(this.inboxKey(fact, event), { day: inboxDay(event), number, generation, source, id });
    }
  }

  #record(record: NewRecord): void {
    if (record.named) {
      const key = eventKey(record);
      // It is in the log already.
      if (this.#facts.digests.has(key)) return;
      const digest = contentDigest(record);
      this.#facts.digests.set(key, digest);
      this.staged.named.set(key, { record, digest });
    }
    this.staged.records.push(record);
  }

  #stream(stream: StreamRead, records: readonly NewRecord[]): void {
    const { topic, key, version: before } = stream;
    const of = streamRecords(stream, before, records);
    if (of.length === 0) return;
    for (const [index, record] of of.entries()) this.staged.streamEvents.push({ record, sequence: before + index + 1 });
    const version = before + of.length;
    const name = streamKey(stream);
    const staged = this.staged.streams.get(name);
    if (staged === undefined) this.staged.streams.set(name, { topic, key, version, before });
    else staged.version = version;
    this.#facts.streams.set(name, version);
  }

  #disarm(service: string, name: string): void {
    const { staged } = this;
    staged.timersChanged = true;
    let names = staged.timerNames.get(service);
    if (names === undefined) {
      names = new Set();
      staged.timerNames.set(service, names);
    }
    names.add(name);
    const armed = staged.timers.get(service);
    if (armed !== undefined)
      staged.timers.set(
        service,
        armed.filter((timer) => timer.name !== name),
      );
    if (service === this.#service)
      for (const [timer, of] of this.#facts.timers) if (of === name) this.#facts.timers.delete(timer);
  }

  #arm(timer: NewTimer): void {
    if (timer.name !== undefined) this.#disarm(timer.service, timer.name);
    this.staged.timersChanged = true;
    push(this.staged.timers, timer.service, timer);
  }

  #advance(entry: number, { effects: { change } }: Unit): void {
    const fact = this.#facts.entries.get(entry);
    if (fact === undefined) return;
    const { consumer, lane } = fact;
    const key = laneKey(consumer, lane);
    this.staged.changes.set(entry, change);
    this.staged.lanes.set(key, { consumer, lane });
    // It was run: whoever claims it again comes too late.
    this.#facts.entries.delete(entry);
    if (change?.holds === true) return;
    this.staged.freed.set(key, { consumer, lane });
    if (fact.holds) this.#facts.held.set(key, (this.#facts.held.get(key) ?? 0) - 1);
  }

  #entry(entry: NewEntry, unit: number): void {
    const { consumer, lane, state, holds } = entry;
    const key = laneKey(consumer, lane);
    const held = this.#facts.held.get(key) ?? 0;
    this.staged.entries.push({ unit, entry, freed: state === "following" && held <= 0 });
    this.staged.lanes.set(key, { consumer, lane });
    if (holds) this.#facts.held.set(key, held + 1);
  }
}

function push<Of>(lists: Map<string, Of[]>, key: string, value: Of): void {
  const list = lists.get(key);
  if (list === undefined) lists.set(key, [value]);
  else list.push(value);
}
