import type { Message } from "../contract/contract.js";
import { describeError, Failure } from "../failure/failure.js";
import type { LogRecord } from "../log/log.js";
import type { AggregateDefinition } from "./definition.js";

/** A state, and after how many events of its stream. */
export interface Folded {
  readonly state: unknown;
  readonly version: number;
}

/** An event about to be folded. */
export interface Foldable {
  readonly key: string;
  readonly type: string;
  readonly data: unknown;
}

/** The state before the first event. */
export function initial({ initialState }: AggregateDefinition): Folded {
  return { state: frozen(initialState()), version: 0 };
}

/**
 * The state after the next event.
 *
 * @throws {Failure} EVOLVE_FAILED when `evolve` throws or does not return a state.
 */
export function evolved(definition: AggregateDefinition, before: Folded, event: Foldable): Folded {
  const { key, type, data } = event;
  const version = before.version + 1;
  const where = () => `${definition.name} ${key}: event ${version}, ${type}`;
  const message: Message<string, unknown> = { type, data };
  let state: unknown;
  try {
    state = definition.evolve(before.state, message);
  } catch (cause) {
    throw new Failure("EVOLVE_FAILED", `${where()}: evolve threw ${describeError(cause).message}`, { cause });
  }
  if (state === undefined || isThenable(state))
    throw new Failure(
      "EVOLVE_FAILED",
      `${where()}: evolve returned ${state === undefined ? "undefined" : "a promise"}; it returns the state, synchronously`,
    );
  return { state: frozen(state), version };
}

/**
 * The state after stored events, in their order.
 *
 * @throws {Failure} EVOLVE_FAILED; CONTRACT_NEWER when an event is of a newer program; STORE_DAMAGED when one is missing.
 */
export function foldRecords(definition: AggregateDefinition, from: Folded, records: readonly LogRecord[]): Folded {
  let folded = from;
  for (const record of records) {
    const next = folded.version + 1;
    const { sequence = 0 } = record.headers ?? {};
    if (sequence !== next) throw eventsGone(definition, record.key, { from: next, to: sequence - 1 });
    folded = evolved(definition, folded, storedEvent(definition, record));
  }
  return folded;
}

/** A stream is whole, or nobody can tell its state. */
export function eventsGone(
  { name }: AggregateDefinition,
  key: string,
  { from, to }: { readonly from: number; readonly to: number },
): Failure {
  const which = to > from ? `events ${from} to ${to} are` : `event ${from} is`;
  return new Failure(
    "STORE_DAMAGED",
    `${name} ${key}: ${which} gone from its stream, and no state after that can be told; restore a backup`,
  );
}

/** An event of the stream as its contract has it today: what its schema fills in is filled in. */
function storedEvent({ name, topic }: AggregateDefinition, record: LogRecord): Foldable {
  const contract = topic.events.get(record.type);
  const where = `${name} ${record.key}: event ${record.headers?.sequence}, ${record.type} v${record.version}`;
  if (contract === undefined)
    throw new Failure("EVOLVE_FAILED", `${where}: the topic does not declare it any more; put it back`);
  if (record.version > contract.version)
    throw new Failure("CONTRACT_NEWER", `${where}: this program knows version ${contract.version}`);
  const problem = record.bytes === undefined ? contract.check(record.data) : "its bytes are not JSON";
  if (problem !== undefined) throw new Failure("EVOLVE_FAILED", `${where} does not fit its contract: ${problem}`);
  return record;
}

/** Nobody changes a state: it is kept, and others decide on it. What cannot be frozen, like a Map, is left to its author. */
export function frozen<T>(value: T): T {
  if (typeof value !== "object" || value === null || Object.isFrozen(value) || ArrayBuffer.isView(value)) return value;
  Object.freeze(value);
  for (const child of Object.values(value)) frozen(child);
  return value;
}

/** Whether somebody returned a promise where nobody waits. */
export function isThenable(value: unknown): boolean {
  return typeof value === "object" && value !== null && typeof (value as { then?: unknown }).then === "function";
}
