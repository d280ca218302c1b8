import { checkDocumentId } from "../consumer/documents.js";
import type { Clock } from "../runtime/clock.js";
import { type Duration, durationMs } from "../runtime/duration.js";
import { checkOptions } from "../runtime/options.js";
import type { Store } from "../store/store.js";
import { type RowChange, rowChanges, type SubscribeOptions } from "./changes.js";
import type { ProjectionFacts } from "./projection.js";
import { conditionsOf, type FindOptions, pageQuery, type RowPage, type Where } from "./query.js";
import { reached } from "./reach.js";

/**
 * The rows of a projection: committed state, read only.
 *
 * @throws {Failure} INDEX_MISSING when a field is not indexed; OPTION_INVALID when a condition or an option has a value that
 * cannot be used.
 */
export interface ProjectionRows<Row> {
  /** The row of a key. */
  get(id: string, options?: GetOptions): Promise<Row | undefined>;
  /** Rows for which all conditions hold, a page at a time. */
  find(where?: Where<Row>, options?: FindOptions<Row>): Promise<RowPage<Row>>;
  /** How many rows there are for which all conditions hold. */
  count(where?: Where<Row>): Promise<number>;
  /**
   * Resolves when the rows hold what the events of a causality token have changed: those that a command or a publish answered
   * with. It covers these events, not what they cause.
   *
   * @throws {Failure} PROJECTION_BEHIND when the time is up; LANE_HELD when a dead letter keeps the projection from them.
   */
  reached(token: string, options?: ReachedOptions): Promise<void>;
  /**
   * Changes of rows as they are committed, from now on or from after a cursor. When some were missed, or another build
   * answers now, it says `gap` and goes on from there.
   */
  subscribe(options?: SubscribeOptions): AsyncIterable<RowChange<Row>>;
}

/** How long is waited for a causality token. */
export interface ReachedOptions {
  /** Default "5s". */
  readonly wait?: Duration;
}

/** How a row is read. */
export interface GetOptions extends ReachedOptions {
  /** A causality token: the row as of these events or later. See {@link ProjectionRows.reached}. */
  readonly after?: string;
}

/** Where a projection's rows are kept. */
export interface RowsHost {
  readonly store: Store;
  readonly service: string;
  readonly clock: Clock;
  /** The build whose rows answer, as of this moment: the type of the rows, and their consumer within the service. */
  type(): Promise<string> | string;
}

const waitDefault = "5s";

type AnyRow = Readonly<Record<string, unknown>>;

/** Reads the rows of a projection. */
export function projectionRows<Row>(facts: ProjectionFacts, host: RowsHost): ProjectionRows<Row> {
  const { store, service, type, clock } = host;
  const caughtUp = async (token: string, wait: Duration = waitDefault) => {
    const waitMs = durationMs(wait, `projection ${facts.name}: wait`);
    const consumer = async () => `${service}.${await type()}`;
    return (await reached(token, { store, clock, consumer, waitMs })).slice(service.length + 1);
  };
  return {
    subscribe: (options = {}) => rowChanges<Row>({ ...host, name: facts.name }, options),
    async reached(token, options = {}) {
      checkOptions(options, { wait: true }, { where: `projection ${facts.name}: reached` });
      await caughtUp(token, options.wait);
    },
    async get(id, options = {}) {
      checkDocumentId(facts, id);
      checkOptions(options, { after: true, wait: true }, { where: `projection ${facts.name}: get` });
      const build = await (options.after === undefined ? type() : caughtUp(options.after, options.wait));
      const stored = await store.readDocument(service, build, id);
      return stored === undefined ? undefined : (JSON.parse(stored.text) as Row);
    },
    async find(where = {}, options = {}) {
      const { next, ...query } = pageQuery(facts, where as AnyRow, options as FindOptions<AnyRow>);
      const page = await store.findDocuments({ service, type: await type(), ...query });
      const rows = page.map(({ text }) => JSON.parse(text) as AnyRow);
      const last = page.length < query.limit ? undefined : page.at(-1);
      return {
        rows: rows as readonly unknown[] as readonly Row[],
        ids: page.map(({ id }) => id),
        next: last === undefined ? undefined : next(last.id, rows.at(-1) as AnyRow),
      };
    },
    async count(where = {}) {
      const conditions = conditionsOf(facts, where as AnyRow);
      return store.countDocuments({ service, type: await type(), where: conditions });
    },
  };
}
