import { type BatchHandler, BatchRefused, type BatchWork, handlerOf } from "../consumer/batch.js";
import type { Context, SqlInput } from "../consumer/handler.js";
import { type Part, type PartDeclaration, part } from "../consumer/part.js";
import type { View } from "../consumer/view.js";
import type { AnyEvent, Received, ReceivedOf } from "../contract/contract.js";
import { checkKebabName, checkVersion } from "../contract/names.js";
import { Failure } from "../failure/failure.js";
import { checkOptions, type OptionNames } from "../runtime/options.js";
import { type BuildName, buildLabel, tablePrefix } from "../store/builds.js";
import { checkTopics } from "./topics.js";

/** A table of a projection in SQL: stands in a template of `sql` or `app.query` for the table's name. */
export interface ProjectionTable {
  readonly projection: string;
  readonly version: number;
  readonly table: string;
}

/** What a fold into tables may do: add statements to the commit. */
export interface SqlFold<Tables extends string> {
  /** An INSERT, UPDATE, DELETE or WITH statement. Values become parameters, tables become their names. */
  sql(strings: TemplateStringsArray, ...values: readonly (SqlInput | ProjectionTable)[]): void;
  readonly tables: Readonly<Record<Tables, ProjectionTable>>;
}

/** A projection whose rows are in tables of the author's own. */
export interface SqlProjection<Tables extends string> extends Part {
  readonly name: string;
  readonly version: number;
  /** Its tables, for `app.query`: those of the build that answers. */
  readonly tables: Readonly<Record<Tables, ProjectionTable>>;
  on<E extends AnyEvent>(event: E, fold: (event: ReceivedOf<E>, into: SqlFold<Tables>) => void): this;
}

/** How a projection in SQL is declared. */
export interface SqlProjectionOptions<Tables extends string> {
  readonly version: number;
  /** By name: what stands behind the table's name in CREATE TABLE, like `(day TEXT PRIMARY KEY, pence INTEGER NOT NULL)`. */
  readonly tables: Readonly<Record<Tables, string>>;
  /** As of a projection: needed when several topics feed it. */
  readonly commutative?: boolean;
}

const optionNames: OptionNames<SqlProjectionOptions<string>> = { version: true, tables: true, commutative: true };
const tableName = /^[a-z][a-z0-9_]{0,40}$/;
const tableOf = Symbol("millrace table");

/**
 * Declares a projection whose rows are in SQL tables of its own, made for each build. Only for engines that speak SQL.
 *
 * @throws {Failure} CONTRACT_INVALID when a name or version is wrong; OPTION_INVALID when several topics feed it and it is not
 * declared commutative.
 * @example
 * ```ts
 * import { event, service, sqlProjection, topic } from "millrace";
 * import { z } from "zod";
 *
 * const Placed = z.object({ orderId: z.string(), day: z.string(), pence: z.int() });
 * const orders = topic("orders", { key: "orderId", events: { placed: event("order.placed", Placed) } });
 * export const sales = sqlProjection("sales", {
 *   version: 1,
 *   tables: { days: "(day TEXT PRIMARY KEY, pence INTEGER NOT NULL)" },
 * }).on(orders.placed, ({ data }, { sql, tables }) => {
 *   sql`INSERT INTO ${tables.days} VALUES (${data.day}, ${data.pence}) ON CONFLICT DO UPDATE SET pence = pence + excluded.pence`;
 * });
 * export const shop = service("shop").owns(orders, sales);
 * ```
 */
export function sqlProjection<Tables extends string>(
  name: string,
  options: SqlProjectionOptions<Tables>,
): SqlProjection<Tables> {
  checkKebabName(name, "a projection");
  checkOptions<SqlProjectionOptions<string>>(options, optionNames, {
    where: `projection ${name}`,
    code: "CONTRACT_INVALID",
  });
  checkVersion(options.version, `projection ${name}`);
  for (const table of Object.keys(options.tables))
    if (!tableName.test(table))
      throw new Failure(
        "CONTRACT_INVALID",
        `projection ${name}: ${JSON.stringify(table)} is not a name for a table; write it in lower-case with underscores`,
      );
  return new SqlBuilder(name, options) as unknown as SqlProjection<Tables>;
}

/** Whether a value of a template stands for a table. */
export function isTable(value: unknown): value is ProjectionTable {
  return typeof value === "object" && value !== null && (value as { readonly [tableOf]?: true })[tableOf] === true;
}

/** Whether a projection is one in SQL. */
export function isSqlProjection(of: object): of is SqlProjection<string> {
  return of instanceof SqlBuilder;
}

type Written = readonly [strings: TemplateStringsArray, values: readonly SqlInput[]];

/** The tables of a template written out as the names of one build's tables; the other values stay parameters. */
export function withTables(
  strings: TemplateStringsArray,
  values: readonly (SqlInput | ProjectionTable)[],
  build: (table: ProjectionTable) => BuildName,
): Written {
  const texts: string[] = [strings[0] as string];
  const rest: SqlInput[] = [];
  for (const [at, value] of values.entries()) {
    const behind = strings[at + 1] as string;
    if (isTable(value)) texts.push(`${texts.pop()}"${tablePrefix(build(value))}${value.table}"${behind}`);
    else {
      rest.push(value);
      texts.push(behind);
    }
  }
  return [Object.assign(texts, { raw: texts }) as unknown as TemplateStringsArray, rest];
}

interface Folding {
  readonly event: AnyEvent;
  readonly fold: (event: Received<string, unknown>, into: SqlFold<string>) => void;
}

class SqlBuilder {
  readonly tables: Readonly<Record<string, ProjectionTable>>;
  readonly version: number;
  readonly #options: SqlProjectionOptions<string>;
  readonly #folds = new Map<string, Folding>();

  constructor(
    readonly name: string,
    options: SqlProjectionOptions<string>,
  ) {
    this.version = options.version;
    this.#options = options;
    const { version } = options;
    this.tables = Object.fromEntries(
      Object.keys(options.tables).map((table) => [table, { projection: name, version, table, [tableOf]: true }]),
    );
  }

  on(event: AnyEvent, fold: Folding["fold"]): this {
    const where = `projection ${this.name}@${this.version}, ${event.type}`;
    if (!event.type.includes(".")) throw invalid(`${where} is a command; a projection is made of events`);
    if (this.#folds.has(event.type)) throw invalid(`${where} is there twice; fold it once`);
    if (typeof fold !== "function") throw invalid(`${where}: the fold is missing: .on(event, (event, { sql }) => …)`);
    this.#folds.set(event.type, { event, fold });
    checkTopics(this, this.#folds.values(), this.#options.commutative === true);
    return this;
  }

  get [part](): PartDeclaration {
    const { name, version } = this;
    const folds = [...this.#folds.values()];
    if (folds.length === 0) throw invalid(`projection ${name}@${version} folds no events; give it some: .on(event, …)`);
    const view: View = {
      ...{ name, version, rows: undefined },
      tableNames: Object.keys(this.#options.tables),
      tables: (build) =>
        Object.entries(this.#options.tables).map(([table, definition]) => ({
          name: `projection ${buildLabel(build)}: ${table}`,
          sql: `CREATE TABLE "${tablePrefix(build)}${table}" ${definition}`,
        })),
      fold: (build) => this.#fold(build),
    };
    const first = { name, version, build: 1 };
    const handler = handlerOf(view.fold(first));
    const subscriptions = folds.map(({ event }) => ({
      contract: event,
      options: { from: "beginning" } as const,
      handler,
    }));
    const consumers = [{ name: buildLabel(first), options: {}, subscriptions, view }];
    return { title: `projection ${name}@${version}`, topics: [], commands: [], consumers };
  }

  #fold(build: BuildName): BatchHandler {
    const known = new WeakMap<TemplateStringsArray, TemplateStringsArray>();
    const { tables } = this;
    const statement = (
      ctx: Context<string>,
      strings: TemplateStringsArray,
      values: readonly (SqlInput | ProjectionTable)[],
    ) => {
      const [texts, rest] = withTables(strings, values, () => build);
      // A template is the same object each time, so that its text is checked once.
      const text = known.get(strings) ?? texts;
      known.set(strings, text);
      ctx.sql(text, ...rest);
    };
    return {
      begin: (ctx) => {
        const into: SqlFold<string> = {
          tables,
          sql: (strings, ...values) => {
            statement(ctx, strings, values);
            work.weight += 1;
          },
        };
        const work = new StatementWork((event) => this.#folds.get(event.type)?.fold(event, into));
        return work;
      },
    };
  }
}

/** The statements that some events have come to: they are in their context as soon as they are made. */
class StatementWork implements BatchWork {
  weight = 0;
  readonly read = 0;

  constructor(readonly fold: (event: Received<string, unknown>) => void) {}

  handle(events: readonly Received<string, unknown>[]): void {
    for (const [at, event] of events.entries()) {
      try {
        this.fold(event);
      } catch (error) {
        throw new BatchRefused(at, error);
      }
    }
  }

  finish(): void {}
}

function invalid(message: string): Failure {
  return new Failure("OPTION_INVALID", message);
}
