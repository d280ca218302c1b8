import { fail } from "node:assert/strict";
import type { LogReader, LogRecord, LogWriter, NewRecord } from "../../log/log.js";
import type { Inspect } from "../../store/inspect.js";
import type { Act, Operate } from "../../store/operate.js";
import type { Store } from "../../store/store.js";
import type { Effects, NewEntry, Position, Unit } from "../../store/unit.js";
import type { Opened } from "./suite.js";
import { acquire, checkedConsumer, committed, newEntry, newRecord, recordClaim, unitOf } from "./units.js";

/** What operators see and do, beside the store and the log that they are about: nothing but the topic "conformance", of two partitions, is there. */
export interface OperatorsUnderTest extends Opened {
  readonly log: LogReader & LogWriter;
  readonly store: Store;
  readonly inspect: Inspect;
  readonly operate: Operate;
}

/** An operator's act of some moment. */
export const act: Act = { actor: "ann", reason: "mended", at: 1_800_000_000_000 };

/** The same operator, later. */
export function later(ms: number): Act {
  return { ...act, at: act.at + ms };
}

/** Appends records to the checked topic's first partition, each of its own key unless `more` says otherwise; in their order. */
export async function appended(
  { log }: OperatorsUnderTest,
  ids: readonly string[],
  more: (id: string, n: number) => Partial<NewRecord> = () => ({}),
): Promise<readonly LogRecord[]> {
  const records = ids.map((id, n) => {
    const own = { partition: 0, key: `k-${id}`, time: 1_700_000_000_000 + n, data: JSON.stringify({ id, n }) };
    return newRecord(id, { ...own, ...more(id, n) });
  });
  await log.append(records);
  const stored: LogRecord[] = [];
  for (const at of records) stored.push((await log.record(at)) ?? fail(`${at.id} is not in the log`));
  return stored;
}

/** Registers a consumer of the checked topic's "thing.done" from the beginning; its positions by partition. */
export async function registered(
  { store }: OperatorsUnderTest,
  consumer = checkedConsumer,
): Promise<readonly Position[]> {
  return await acquire(store, [0, 0], consumer);
}

/** Commits the handling of an event that its handler gave up on, or that waits behind such a one; the entry's number. */
export async function enteredAs(
  { store }: OperatorsUnderTest,
  { position, record }: { readonly position: Position; readonly record: LogRecord },
  more: Partial<NewEntry> = {},
): Promise<number> {
  return (await committed(store, entering({ position, record }, more))).entry;
}

/** The unit of {@link enteredAs}. */
export function entering(
  { position, record }: { readonly position: Position; readonly record: LogRecord },
  more: Partial<NewEntry> = {},
): Unit {
  const entry = newEntry(record.offset, {
    ...{ consumer: position.consumer, lane: record.key, state: "dead", attempt: 3, due: 0, record },
    ...more,
  });
  return unitOf(recordClaim(position, record.offset), { entry }, { lane: entry.lane });
}

/** Commits the handling of an event. */
export async function handled(
  { store }: OperatorsUnderTest,
  { position, record }: { readonly position: Position; readonly record: LogRecord },
  effects: Effects = {},
): Promise<void> {
  await committed(store, unitOf(recordClaim(position, record.offset), effects));
}

/** A dead letter of each of these events. */
export async function letters(
  on: OperatorsUnderTest,
  ids: readonly string[],
  more: (id: string) => Partial<NewEntry> = () => ({}),
): Promise<{
  readonly position: Position;
  readonly records: readonly LogRecord[];
  readonly entries: readonly number[];
}> {
  const records = await appended(on, ids);
  const position = (await registered(on))[0] as Position;
  const entries: number[] = [];
  for (const record of records) entries.push(await enteredAs(on, { position, record }, more(record.id)));
  return { position, records, entries };
}
