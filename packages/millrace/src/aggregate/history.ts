import { arrived } from "../consumer/received.js";
import type { Received } from "../contract/contract.js";
import { Failure } from "../failure/failure.js";
import type { Awaitable, LogRecord } from "../log/log.js";
import { checkText } from "../runtime/options.js";
import type { StreamPage, StreamQuery } from "../store/stream.js";
import { type Change, changesBetween, plain, valueAt } from "./changes.js";
import { pageRecords } from "./current.js";
import type { AggregateDefinition } from "./definition.js";
import { eventsGone, type Folded, foldRecords, initial } from "./fold.js";

/**
 * A moment in an aggregate's life: when it had so many events, as it was at a time (of the log's clock), or just before
 * the event with an id.
 */
export type Moment = { readonly version: number } | { readonly time: Date } | { readonly before: string };

/** A state, after how many events, and when the last of them was stored; 0 and undefined before the first. */
export interface StateAt<State> {
  readonly state: State;
  readonly version: number;
  readonly time?: Date;
}

/** The event that last changed a value of the state, and what it made of it. */
export interface Blame {
  /** As in {@link Change}. */
  readonly path: string;
  readonly from?: unknown;
  readonly to?: unknown;
  readonly event: Received<string, unknown>;
}

/** One aggregate's events, wherever they are read. */
export interface Life {
  readonly definition: AggregateDefinition;
  readonly key: string;
  read(query: StreamQuery): Awaitable<StreamPage>;
}

/**
 * The state at a moment; without one, the newest.
 *
 * @throws {Failure} NOT_FOUND when it has not come so far, or has no such event; OPTION_INVALID when it is no moment.
 */
export async function stateAt(life: Life, moment?: Moment): Promise<StateAt<unknown>> {
  checkMoment(moment);
  let folded = initial(life.definition);
  let last: LogRecord | undefined;
  let reached = false;
  for await (const records of pages(life)) {
    const end = moment === undefined ? -1 : records.findIndex((record) => isPast(moment, record));
    reached = end >= 0;
    const taken = reached ? records.slice(0, end) : records;
    folded = foldRecords(life.definition, folded, taken);
    last = taken.at(-1) ?? last;
    if (reached) break;
  }
  if (!reached && moment !== undefined) checkReached(life, moment, folded.version);
  const { state, version } = folded;
  return { state, version, ...(last === undefined ? {} : { time: new Date(last.appended) }) };
}

/** What changed in the state between two moments. */
export async function diff(life: Life, from: Moment, to?: Moment): Promise<readonly Change[]> {
  checkMoment(from ?? null);
  return changesBetween((await stateAt(life, from)).state, (await stateAt(life, to)).state);
}

/** The event that last changed what is at a path of the state; undefined when none has. */
export async function blame(life: Life, path: string, moment?: Moment): Promise<Blame | undefined> {
  checkText(path, `${life.definition.name}: the path to blame`);
  checkMoment(moment);
  let before = initial(life.definition);
  let value = plain(valueAt(before.state, path));
  let found: Blame | undefined;
  const look = (record: LogRecord, folded: Folded) => {
    const now = plain(valueAt(folded.state, path));
    if (changesBetween(value, now).length === 0) return;
    const change = { ...(value === undefined ? {} : { from: value }), ...(now === undefined ? {} : { to: now }) };
    found = { path, ...change, event: arrived(record) };
    value = now;
  };
  for await (const records of pages(life)) {
    for (const record of records) {
      if (moment !== undefined && isPast(moment, record)) return found;
      before = foldRecords(life.definition, before, [record]);
      look(record, before);
    }
  }
  if (moment !== undefined) checkReached(life, moment, before.version);
  return found;
}

/** A page at a time; between two of them, others get their turn. */
async function* pages({ definition, key, read }: Life): AsyncGenerator<readonly LogRecord[]> {
  for (let after = 0; ; ) {
    const { records, version } = await read({ topic: definition.name, key, after, limit: pageRecords });
    yield records;
    after += records.length;
    if (after >= version) return;
    if (records.length === 0) throw eventsGone(definition, key, { from: after + 1, to: version });
    await new Promise<void>((turn) => setImmediate(turn));
  }
}

/** The first event that the moment does not see. */
function isPast(moment: Moment, record: LogRecord): boolean {
  if ("version" in moment) return (record.headers?.sequence ?? 0) > moment.version;
  if ("time" in moment) return record.appended > moment.time.getTime();
  return record.id === moment.before;
}

function checkMoment(moment: Moment | null | undefined): void {
  if (moment === undefined) return;
  const { version, time, before } = (moment ?? {}) as { version?: unknown; time?: unknown; before?: unknown };
  const sound =
    version !== undefined
      ? Number.isSafeInteger(version) && (version as number) >= 0
      : time !== undefined
        ? time instanceof Date && !Number.isNaN(time.getTime())
        : typeof before === "string";
  if (!sound)
    throw new Failure(
      "OPTION_INVALID",
      "a moment is { version } with a whole number, { time } with a Date, or { before } with an event's id",
      { details: { option: "at" } },
    );
}

/** Its events have ended before the moment: there is no such version, or event; a time may be after the last. */
function checkReached({ definition, key }: Life, moment: Moment, version: number): void {
  const where = `${definition.name} ${key}`;
  if ("version" in moment && moment.version > version)
    throw new Failure("NOT_FOUND", `${where} has ${version} events, there is no version ${moment.version} of it`);
  if ("before" in moment) throw new Failure("NOT_FOUND", `${where} has no event ${moment.before}`);
}
