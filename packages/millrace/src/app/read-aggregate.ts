import type { Aggregate } from "../aggregate/aggregate.js";
import type { Change } from "../aggregate/changes.js";
import { currentState } from "../aggregate/current.js";
import { type AggregateDefinition, aggregateOf, definitionOf } from "../aggregate/definition.js";
import { type Blame, blame, diff, type Life, type Moment, type StateAt, stateAt } from "../aggregate/history.js";
import { States, stateName } from "../aggregate/states.js";
import { Failure } from "../failure/failure.js";
import { checkText } from "../runtime/options.js";
import type { ServiceDeclaration } from "../service/service.js";
import type { Store } from "../store/store.js";

/** Aggregates of one type seen from outside handlers: as they are, and as they were. */
export interface ReadAggregate<State> {
  /**
   * The committed state, now or at a moment. One that has no events has its initial state and version 0.
   *
   * @throws {Failure} NOT_FOUND when it has not come to that version, or has no such event.
   */
  get(id: string, at?: Moment): Promise<StateAt<State>>;
  /** What differs between two moments; between one and now without the second. */
  diff(id: string, from: Moment, to?: Moment): Promise<readonly Change[]>;
  /** The event that last changed the value at a path, like `lines.0.quantity`; undefined when none has. */
  blame(id: string, path: string, at?: Moment): Promise<Blame | undefined>;
}

/** @throws {Failure} OPTION_INVALID when no service of the app owns the aggregate. */
export function readAggregate<State>(
  store: Store,
  services: readonly ServiceDeclaration[],
  aggregate: Aggregate<State, string>,
): ReadAggregate<State> {
  const definition = definitionOf(aggregate);
  const owned = services.some(({ parts }) => parts.some((part) => aggregateOf(part) === definition));
  if (!owned)
    throw new Failure("OPTION_INVALID", `aggregate ${definition.name} is owned by no service of this app; .owns() it`);
  const life = (id: string): Life => ({
    definition,
    key: checkText(id, `app.aggregate(${definition.name}): id`),
    read: (query) => store.readStream(query),
  });
  return {
    get: async (id, at) =>
      (at === undefined
        ? await newest(store, definition, life(id).key)
        : await stateAt(life(id), at)) as StateAt<State>,
    diff: async (id, from, to) => diff(life(id), from, to),
    blame: async (id, path, at) => blame(life(id), path, at),
  };
}

/** What commands have left in memory, and the events since. */
async function newest(store: Store, definition: AggregateDefinition, key: string): Promise<StateAt<unknown>> {
  const kept = States.of(store).get(stateName(definition, key));
  const { state, version } = await currentState(definition, { store, key }, kept);
  const { records } = await store.readStream({ topic: definition.name, key, after: version - 1, limit: 1 });
  const [last] = records;
  return { state, version, ...(last === undefined || version === 0 ? {} : { time: new Date(last.appended) }) };
}
