import { checkDocumentId } from "../consumer/documents.js";
import type { Store } from "../store/store.js";
import type { ProjectionFacts } from "./projection.js";
import { conditionsOf, type FindOptions, pageQuery, type RowPage, type Where } from "./query.js";

/**
 * The rows of a projection: committed state, read only.
 *
 * @throws {Failure} INDEX_MISSING when a field is not indexed; OPTION_INVALID when a condition or an option has a value that
 * cannot be used.
 */
export interface ProjectionRows<Row> {
  /** The row of a key. */
  get(id: string): Promise<Row | undefined>;
  /** Rows for which all conditions hold, a page at a time. */
  find(where?: Where<Row>, options?: FindOptions<Row>): Promise<RowPage<Row>>;
  /** How many rows there are for which all conditions hold. */
  count(where?: Where<Row>): Promise<number>;
}

/** Where a projection's rows are kept. */
export interface RowsHost {
  readonly store: Store;
  readonly service: string;
  /** The type of the rows that answer, as of this moment. */
  type(): Promise<string> | string;
}

type AnyRow = Readonly<Record<string, unknown>>;

/** Reads the rows of a projection. */
export function projectionRows<Row>(facts: ProjectionFacts, { store, service, type }: RowsHost): ProjectionRows<Row> {
  return {
    async get(id) {
      checkDocumentId(facts, id);
      const stored = await store.readDocument(service, await type(), id);
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
