import { Failure } from "../../failure/failure.js";
import { ranBefore } from "../../store/dead-letter.js";
import { contentDigest, idReused, notItsStream, streamRecords } from "../../store/identity.js";
import type { StreamRead } from "../../store/stream.js";
import { uniqueTaken } from "../../store/unique-taken.js";
import type { ClaimedEvent, DocumentWrite, Outcome, Position, Unit } from "../../store/unit.js";
import type { DocumentTypes } from "../document-types.js";
import type { Topics } from "../topics.js";
import { type Facts, idempotencyKey, type PositionFact } from "./facts.js";
import { documentKey, eventKey, type Group, laneKey, streamKey, uniqueKey } from "./group.js";
import { Stage } from "./stage.js";

const already: Outcome = { type: "already" };
const reload: Outcome = { type: "reload" };
const held: Outcome = { type: "held" };
const fenced: Outcome = { type: "fenced" };

/** What the checks of a group know besides the facts. */
export interface Checking {
  readonly topics: Topics;
  readonly types: DocumentTypes;
  readonly now: number;
  /** What is known of units already, by their place in the group: their data was refused before. */
  readonly known: ReadonlyMap<number, Outcome>;
  /** Events that the inbox has, as it said before. */
  readonly copies: ReadonlySet<string>;
}

/** Checks the units of a group in its order, each against the facts and what those before it change. */
export class Checks {
  readonly stage: Stage;
  readonly #group: Group;
  readonly #facts: Facts;
  readonly #checking: Checking;
  /** Documents that the group writes, by service. */
  readonly #written = new Map<string, Set<string>>();

  constructor(group: Group, facts: Facts, checking: Checking) {
    this.#group = group;
    this.#facts = facts;
    this.#checking = checking;
    this.stage = new Stage(group, facts, checking.now);
  }

  run(): Outcome[] {
    const { units, progress } = this.#group;
    const committed: Outcome = { type: "committed", commit: this.#facts.xid };
    const outcomes = units.map((unit, index) => {
      const known = this.#checking.known.get(index) ?? this.#refused(unit);
      if (known !== undefined) return known;
      this.#writes(unit);
      this.stage.unit(unit, index);
      return committed;
    });
    for (const { position, start, end } of progress) {
      const fact = this.#leased(position);
      if (fact !== undefined) this.stage.finish(position.id, fact, [start, end]);
    }
    return outcomes;
  }

  /** Why a unit cannot be stored; undefined when it can. Nothing of a refused one is left behind. */
  #refused(unit: Unit): Outcome | undefined {
    const taken = this.#taken(unit);
    if (taken !== undefined) return taken;
    if (this.#heldBack(unit)) return held;
    if (this.#stale(unit)) return reload;
    try {
      this.#values(unit);
      this.#records(unit);
      return undefined;
    } catch (error) {
      return { type: "failed", error: error as Failure };
    }
  }

  #taken({ claim, effects }: Unit): Outcome | undefined {
    const { entries, timers, schedules, sent } = this.#facts;
    switch (claim.type) {
      case "record": {
        const fact = this.#leased(claim.position);
        if (fact === undefined) return fenced;
        if (fact.state.has(claim.offset)) return already;
        if (!this.#isCopy(fact, claim.events)) return undefined;
        this.stage.finishRecord(claim, fact);
        return already;
      }
      case "records":
        return this.#takenRecords(claim);
      case "lane-entry": {
        if (this.#leased(claim.position) === undefined) return fenced;
        const entry = entries.get(claim.entry);
        const isAt = entry?.runs === true && entry.attempt === claim.attempt && entry.redrives === claim.redrives;
        return isAt ? undefined : already;
      }
      case "timer":
        return timers.has(claim.timer) ? undefined : already;
      case "tick":
        return schedules.get(claim.schedule) === claim.tick ? undefined : already;
      case "operation": {
        const { id, idempotency } = claim.operation;
        const known = idempotency && this.#facts.idempotent.get(idempotencyKey(idempotency));
        const operation = known ?? this.#facts.operations.get(id);
        return operation && { type: "already", operation };
      }
      case "publish": {
        const made = this.#group.resent ? (effects.records ?? []).filter(({ named }) => !named) : [];
        return made.length > 0 && made.every((record) => sent.has(eventKey(record))) ? already : undefined;
      }
    }
  }

  #takenRecords({ parts }: Extract<Unit["claim"], { type: "records" }>): Outcome | undefined {
    let taken = 0;
    let wanted = 0;
    let copies = false;
    for (const { position, ranges, events } of parts) {
      const fact = this.#leased(position);
      if (fact === undefined) return fenced;
      wanted += ranges.length;
      for (const [, end] of ranges) if (fact.state.has(end - 1)) taken += 1;
      copies ||= this.#hasCopies(fact, events);
    }
    if (taken > 0) return taken === wanted ? already : held;
    return copies ? held : undefined;
  }

  #leased({ id, epoch }: Position): PositionFact | undefined {
    const fact = this.#facts.positions.get(id);
    return fact?.epoch === epoch ? fact : undefined;
  }

  /** All that a record's claim names were handled before: at another offset. */
  #isCopy(fact: PositionFact, events: readonly ClaimedEvent[] | undefined): boolean {
    return events !== undefined && events.length > 0 && events.every((event) => this.#known(fact, event));
  }

  /** Some of many were handled before, or two of them are the same. */
  #hasCopies(fact: PositionFact, events: readonly ClaimedEvent[] | undefined): boolean {
    if (events === undefined) return false;
    return new Set(events.map(eventKey)).size < events.length || events.some((event) => this.#known(fact, event));
  }

  #known(fact: PositionFact, event: ClaimedEvent): boolean {
    const key = this.stage.inboxKey(fact, event);
    return this.#checking.copies.has(key) || this.stage.staged.inbox.has(key);
  }

  /** The lane has entries: the unit is to join them. */
  #heldBack({ claim, lane, effects }: Unit): boolean {
    const isHeld = (consumer: string, one: string) => (this.#facts.held.get(laneKey(consumer, one)) ?? 0) > 0;
    if (claim.type === "records") {
      const consumer = claim.parts[0]?.position.consumer ?? "";
      return claim.lanes.some((one) => isHeld(consumer, one));
    }
    if (lane === undefined || claim.type !== "record" || effects.entry?.state === "following") return false;
    return isHeld(claim.position.consumer, lane);
  }

  #stale({ reads, stream, effects: { documents, entry } }: Unit): boolean {
    const amended = entry && this.#facts.amended.get(entry);
    if (entry !== undefined && amended !== undefined && ranBefore(amended, entry)) return true;
    if (stream !== undefined && this.#streamVersion(stream) !== stream.version) return true;
    for (const { service, type, id, version } of reads) {
      const key = documentKey({ type, id });
      if (this.#written.get(service)?.has(key) === true) return true;
      if ((this.#facts.versions.get(service)?.get(key) ?? 0) !== version) return true;
    }
    return documents?.some((write) => this.#written.get(write.service)?.has(documentKey(write)) === true) ?? false;
  }

  #streamVersion(stream: StreamRead): number {
    return this.#facts.streams.get(streamKey(stream)) ?? 0;
  }

  /** @throws {Failure} UNIQUE_TAKEN, or NOT_FOUND when a type was never declared. */
  #values({ effects: { documents } }: Unit): void {
    if (documents === undefined) return;
    const gets = new Map<string, string>();
    for (const write of documents) {
      if (this.#checking.types.get(write.service, write.type) === undefined)
        throw new Failure(
          "NOT_FOUND",
          `document type ${write.service}/${write.type} was never declared in this database`,
        );
      if (write.text === undefined) continue;
      for (const entry of write.indexed) {
        if (!entry.unique || entry.value === null) continue;
        const key = `${write.service}/${uniqueKey(write.type, entry)}`;
        const other = gets.get(key) ?? this.#facts.holders.get(key);
        const leaves = !gets.has(key) && documents.some((also) => also.type === write.type && also.id === other);
        if (other !== undefined && other !== write.id && !leaves) throw uniqueTaken(write, entry.field);
        gets.set(key, write.id);
      }
    }
  }

  /** @throws {Failure} when a record of the unit cannot be published. */
  #records({ stream, effects: { records } }: Unit): void {
    if (records === undefined) return;
    for (const record of records) {
      const topic = this.#checking.topics.get(record.topic);
      if (topic === undefined)
        throw new Failure("NOT_FOUND", `topic ${record.topic} does not exist; declare it and start the app`);
      if (topic.streams === true && (stream?.topic !== record.topic || stream.key !== record.key))
        throw notItsStream(record);
      if (!record.named) continue;
      const digest = this.#facts.digests.get(eventKey(record));
      if (digest !== undefined && digest !== contentDigest(record)) throw idReused(record);
    }
    if (stream !== undefined) streamRecords(stream, stream.version, records);
  }

  /** The unit passed: what comes after it sees what it changes. */
  #writes({ effects: { documents } }: Unit): void {
    if (documents === undefined) return;
    for (const write of documents) this.#write(write);
    for (const write of documents)
      for (const entry of write.text === undefined ? [] : write.indexed)
        if (entry.unique && entry.value !== null)
          this.#facts.holders.set(`${write.service}/${uniqueKey(write.type, entry)}`, write.id);
  }

  #write({ service, type, id }: DocumentWrite): void {
    let written = this.#written.get(service);
    if (written === undefined) {
      written = new Set();
      this.#written.set(service, written);
    }
    written.add(documentKey({ type, id }));
    // The values that it has are free for those that come after, unless it keeps them.
    const { holders } = this.#facts;
    if (holders.size > 0)
      for (const [key, holder] of holders)
        if (holder === id && key.startsWith(`${service}/${type}/`)) holders.delete(key);
  }
}
