import { plain } from "../aggregate/changes.js";
import { type AggregateDefinition, aggregateOf } from "../aggregate/definition.js";
import { type Blame, blame, diff, type Life, type Moment, stateAt } from "../aggregate/history.js";
import { Failure } from "../failure/failure.js";
import type { ServiceDeclaration } from "../service/service.js";
import type { Inspect } from "../store/inspect.js";
import type { Admin, AggregateMoment, BlameView, Origin } from "./admin.js";
import { iso } from "./views.js";

/** The parts of {@link Admin} that look at aggregates. */
export type AggregateReads = Pick<Admin, "aggregate" | "aggregateDiff" | "aggregateBlame">;

/** What they need: the events, and the app's own `evolve`. */
export interface AggregateSight {
  readonly inspect: Inspect;
  /** Undefined when no app is at hand. */
  readonly aggregates: readonly AggregateDefinition[] | undefined;
  origin(): Origin;
}

/** The aggregates of services. */
export function aggregatesOf(services: readonly ServiceDeclaration[]): readonly AggregateDefinition[] {
  return services.flatMap(({ parts }) => parts.flatMap((part) => aggregateOf(part) ?? []));
}

/** Looking at aggregates, in a running app or at the file with the app's code. */
export function aggregateReadsOf(sight: AggregateSight): AggregateReads {
  const life = (type: string, id: string) => lifeOf(sight, type, id);
  return {
    async aggregate({ type, id, at }) {
      const { state, version, time } = await stateAt(await life(type, id), at && momentOf(at));
      const when = time === undefined ? {} : { time: iso(time.getTime()) };
      return { ...sight.origin(), type, id, version, ...when, state: plain(state) };
    },
    async aggregateDiff({ type, id, from, to }) {
      const changes = await diff(await life(type, id), momentOf(from), to && momentOf(to));
      return { ...sight.origin(), type, id, changes };
    },
    async aggregateBlame({ type, id, path, at }) {
      const found = await blame(await life(type, id), path, at && momentOf(at));
      if (found === undefined)
        throw new Failure(
          "NOT_FOUND",
          `no event of ${type} ${id} has set ${JSON.stringify(path)}; see its state for its fields`,
        );
      return { ...sight.origin(), type, id, ...blameView(found) };
    },
  };
}

async function lifeOf({ inspect, aggregates }: AggregateSight, type: string, id: string): Promise<Life> {
  if (aggregates === undefined)
    throw new Failure(
      "PROCESS_MISSING",
      "a state is folded by the app's own evolve, and no process answers; start it: millrace start",
    );
  const definition = aggregates.find(({ name }) => name === type);
  if (definition === undefined) {
    const names = aggregates.map(({ name }) => name).join(", ");
    throw new Failure(
      "NOT_FOUND",
      `the app has no aggregate ${type}; ${names === "" ? "it has none" : `there are ${names}`}`,
    );
  }
  const { version } = await inspect.stream({ topic: type, key: id, after: 0, limit: 0 });
  if (version === 0) throw new Failure("NOT_FOUND", `${type} ${id} has no events`);
  return { definition, key: id, read: (query) => inspect.stream(query) };
}

function momentOf({ version, time, before }: AggregateMoment): Moment {
  if (version !== undefined) return { version };
  return time === undefined ? { before: before ?? "" } : { time: new Date(time) };
}

function blameView({ event, ...change }: Blame): BlameView {
  const { id, type, sequence = 0, time, actor, correlationId, causationId, data } = event;
  return {
    change,
    event: {
      id,
      type,
      sequence,
      time: iso(time.getTime()),
      ...(actor === undefined ? {} : { actor }),
      correlationId,
      ...(causationId === undefined ? {} : { causationId }),
      data,
    },
  };
}
