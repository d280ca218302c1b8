import { deepEqual, fail, ok } from "node:assert/strict";
import type { LogRecord, NewRecord } from "../../log/log.js";
import type { Store } from "../../store/store.js";
import type {
  Claim,
  DocumentRead,
  DocumentWrite,
  Effects,
  IndexEntry,
  NewEntry,
  Outcome,
  Position,
  Unit,
} from "../../store/unit.js";

/** The topic of the checks; it has two partitions. */
export const checkedTopic = "conformance";
/** A topic of streams, with two partitions. */
export const checkedStreams = "conformance-streams";
/** The consumer of the checks, and its service. */
export const checkedConsumer = "checked";
export const checkedService = "checking";

let made = 0;

/** A record to publish, with the id it will be found by. */
export function newRecord(id: string, more: Partial<NewRecord> = {}): NewRecord {
  made += 1;
  return {
    topic: checkedTopic,
    partition: made % 2,
    id,
    source: checkedService,
    type: "thing.done",
    version: 1,
    key: "k",
    time: 1_700_000_000_000,
    correlationId: undefined,
    causationId: undefined,
    hops: 0,
    headers: undefined,
    data: "{}",
    named: true,
    offset: -1,
    ...more,
  };
}

/** A record as a consumer read it. */
export function readRecord(offset: number, data: unknown = { n: offset }): LogRecord {
  return {
    topic: checkedTopic,
    partition: 0,
    offset,
    id: `read-${offset}`,
    source: "somewhere",
    type: "thing.done",
    version: 1,
    key: "k",
    time: 1_700_000_000_000,
    appended: 1_700_000_000_000,
    correlationId: `read-${offset}`,
    causationId: undefined,
    hops: 0,
    headers: undefined,
    data,
    bytes: undefined,
  };
}

/** A unit of a claim; by default it checks no reads and runs in no lane. */
export function unitOf(
  claim: Claim,
  effects: Effects,
  more: { readonly reads?: readonly DocumentRead[]; readonly lane?: string } = {},
): Unit {
  return { claim, effects, reads: more.reads ?? [], lane: more.lane };
}

/** The claim of the record at an offset. */
export function recordClaim(position: Position, offset: number, start = offset): Extract<Claim, { type: "record" }> {
  return { type: "record", position, start, offset };
}

/** A unit that publishes nothing and writes documents, claimed by nothing that could be taken. */
export function writing(documents: DocumentWrite[], reads: readonly DocumentRead[] = []): Unit {
  return unitOf({ type: "publish" }, { documents }, { reads });
}

/** A document of the checked type "things". */
export function thing(id: string, text: string | undefined, indexed: readonly IndexEntry[] = []): DocumentWrite {
  return { service: checkedService, type: "things", id, schema: 1, text, indexed };
}

/** What was read of a thing; version 0 when it was absent. */
export function readOf(id: string, version: number): DocumentRead {
  return { service: checkedService, type: "things", id, version };
}

/** An entry of the lane "k". */
export function newEntry(offset: number, more: Partial<NewEntry> = {}): NewEntry {
  return {
    consumer: checkedConsumer,
    lane: "k",
    home: 0,
    state: "parked",
    holds: true,
    attempt: 1,
    due: 5_000,
    redrives: 0,
    since: 1_000,
    failure: { code: "Error", message: "no", fingerprint: "abc", at: 2_000 },
    record: readRecord(offset),
    ...more,
  };
}

/** Declares "things", whose field `group` is indexed and whose field `mail` is unique. */
export async function ensureThings(store: Store): Promise<void> {
  await store.ensureDocumentType({
    service: checkedService,
    type: "things",
    indexes: ["group"],
    unique: ["mail"],
    schema: 1,
    indexOf: (text) => thingIndexes(JSON.parse(text) as ThingFields),
  });
}

/** The fields of a thing that have indexes. */
export interface ThingFields {
  readonly group?: string | number | null;
  readonly mail?: string | null;
}

/** Index entries of a thing. */
export function thingIndexes({ group = null, mail = null }: ThingFields): readonly IndexEntry[] {
  return [
    { field: "group", value: group, unique: false },
    { field: "mail", value: mail, unique: true },
  ];
}

/** A thing with its fields and its index entries. */
export function indexedThing(id: string, fields: ThingFields): DocumentWrite {
  return thing(id, JSON.stringify({ id, ...fields }), thingIndexes(fields));
}

/** Registers a consumer of the checked topic's "thing.done"; its positions by partition, under a new epoch. */
export async function acquire(
  store: Store,
  start: readonly number[] = [0, 0],
  consumer = checkedConsumer,
): Promise<readonly Position[]> {
  const topics = [{ topic: checkedTopic, incarnation: "one", types: ["thing.done"], start }];
  const positions = await store.acquire({ consumer, service: checkedService, topics });
  return [...positions].sort((a, b) => a.partition - b.partition);
}

/** Commits units as one group. */
export async function commit(store: Store, ...units: readonly Unit[]): Promise<readonly Outcome[]> {
  return await store.commit(units, []);
}

/** The kinds of outcome of units committed as one group. */
export async function outcomes(store: Store, ...units: readonly Unit[]): Promise<readonly Outcome["type"][]> {
  return (await commit(store, ...units)).map((outcome) => outcome.type);
}

/** Commits one unit that must succeed; the number of its commit, and of the entry it made. */
export async function committed(
  store: Store,
  unit: Unit,
): Promise<{ readonly commit: number; readonly entry: number }> {
  const [outcome] = await commit(store, unit);
  if (outcome?.type !== "committed") fail(`the unit was not committed: ${JSON.stringify(outcome)}`);
  return { commit: outcome.commit, entry: outcome.entry ?? -1 };
}

/** Asserts that each number is greater than the one before. */
export function assertRising(numbers: readonly number[]): void {
  for (let at = 1; at < numbers.length; at += 1) ok((numbers[at] as number) > (numbers[at - 1] as number));
}

/** Asserts how far a position is. */
export async function assertPosition(
  store: Store,
  { id }: Position,
  expected: Pick<Position, "frontier" | "finished">,
): Promise<void> {
  const position = await store.readPosition(id);
  deepEqual({ frontier: position?.frontier, finished: position?.finished }, expected);
}
