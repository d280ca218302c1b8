import { handlerOf } from "../consumer/batch.js";
import type { Subscription } from "../consumer/declaration.js";
import { type Part, type PartDeclaration, part } from "../consumer/part.js";
import type { View } from "../consumer/view.js";
import type { AnyEvent, ReceivedOf } from "../contract/contract.js";
import { type RowSchema, rowSchema } from "../contract/documents.js";
import { checkKebabName, checkVersion } from "../contract/names.js";
import type { Out, StandardSchema } from "../contract/schema.js";
import { Failure } from "../failure/failure.js";
import { checkOptions, type OptionNames } from "../runtime/options.js";
import { buildLabel } from "../store/builds.js";
import { type Folding, foldInto, viewRows } from "./fold.js";
import { checkTopics } from "./topics.js";

/** Makes a row of the row before, absent at first, and an event. Undefined deletes the row. Nothing else: it may run again. */
export type Fold<Row, E extends AnyEvent> = (row: Row | undefined, event: ReceivedOf<E>) => Row | undefined;

/** Which rows an event is folded into. */
export interface FoldOptions<E extends AnyEvent> {
  /** The key of the row, or of many; by default the event's own key. */
  readonly key?: (event: ReceivedOf<E>) => string | readonly string[];
}

/** A view of events, one row a key, that is folded from the log and can be folded again. */
export interface Projection<Row> extends Part {
  readonly name: string;
  readonly version: number;
  /** The row's key is the event's key. */
  on<E extends AnyEvent>(event: E, fold: Fold<Row, E>): this;
  on<E extends AnyEvent>(event: E, options: FoldOptions<E>, fold: Fold<Row, E>): this;
  /** Only for types: nothing has it at run time. */
  readonly "~row"?: Row;
}

/** How a projection is declared. */
export interface ProjectionOptions<Row> {
  /** Grows by one with every change of what its rows hold: another version is another view, built from the log. */
  readonly version: number;
  /** The fields that may be asked for and ordered by. */
  readonly indexes?: readonly (keyof Row & string)[];
  /**
   * The order in which events come to a row does not matter. Needed when several topics feed it, as between topics there
   * is no order; say so too when events of several keys feed one row.
   */
  readonly commutative?: boolean;
}

interface Declared<Row> extends ProjectionOptions<Row> {
  readonly row: StandardSchema;
}

const optionNames: OptionNames<Declared<unknown>> = { version: true, row: true, indexes: true, commutative: true };

/**
 * Declares a projection; a service owns it: `service("orders").owns(orderSummary)`.
 *
 * Its rows always equal the fold of the events in the log, from the first one on. It publishes nothing.
 *
 * @throws {Failure} CONTRACT_INVALID when a name, field or version is wrong or the schema holds what JSON cannot;
 * OPTION_INVALID when several topics feed its rows and it is not declared commutative.
 * @example
 * ```ts
 * import { event, projection, service, topic } from "millrace";
 * import { z } from "zod";
 *
 * const Placed = z.object({ orderId: z.string(), totalPence: z.int() });
 * const orders = topic("orders", { key: "orderId", events: { placed: event("order.placed", Placed) } });
 * const Summary = z.object({ orderId: z.string(), totalPence: z.int() });
 * export const orderSummary = projection("order-summary", { version: 1, row: Summary, indexes: ["totalPence"] })
 *   .on(orders.placed, (_, { data }) => ({ orderId: data.orderId, totalPence: data.totalPence }));
 * export const orderService = service("orders").owns(orders, orderSummary);
 * ```
 */
export function projection<S extends StandardSchema>(
  name: string,
  options: ProjectionOptions<Out<S>> & { readonly row: S },
): Projection<Out<S>> {
  checkKebabName(name, "a projection");
  const where = `projection ${name}`;
  checkOptions<Declared<unknown>>(options as never, optionNames, { where, code: "CONTRACT_INVALID" });
  const { version, indexes = [], commutative = false } = options;
  checkVersion(version, where);
  const rows = rowSchema(options.row, { where: `${where}@${version}: row`, version, indexes });
  return new ProjectionBuilder(
    { name, version, indexes, commutative, schema: rows.jsonSchema },
    rows,
  ) as unknown as Projection<Out<S>>;
}

/** What is known of a projection, for those who read it. */
export interface ProjectionFacts {
  readonly name: string;
  readonly version: number;
  readonly indexes: readonly string[];
  readonly commutative: boolean;
  /** JSON Schema of a row. */
  readonly schema: Readonly<Record<string, unknown>>;
}

const facts = Symbol("millrace projection");

/**
 * What a projection declared.
 *
 * @throws {Failure} OPTION_INVALID for anything else than a projection.
 */
export function projectionFacts(of: object): ProjectionFacts {
  const found = (of as { readonly [facts]?: ProjectionFacts })[facts];
  if (found === undefined) throw new Failure("OPTION_INVALID", "this is not what projection() returned");
  return found;
}

class ProjectionBuilder {
  readonly name: string;
  readonly version: number;
  readonly [facts]: ProjectionFacts;
  readonly #rows: RowSchema;
  readonly #folds = new Map<string, Folding>();

  constructor(known: ProjectionFacts, rows: RowSchema) {
    this.name = known.name;
    this.version = known.version;
    this[facts] = known;
    this.#rows = rows;
  }

  on(event: AnyEvent, second: FoldOptions<AnyEvent> | Folding["fold"], third?: Folding["fold"]): this {
    const where = `projection ${this.name}@${this.version}, ${event.type}`;
    const [options, fold] = typeof second === "function" ? [{}, second] : [second, third];
    if (!event.type.includes(".")) throw invalid(`${where} is a command; a projection is made of events`);
    if (this.#folds.has(event.type)) throw invalid(`${where} is there twice; fold it once`);
    if (typeof fold !== "function") throw invalid(`${where}: the fold is missing: .on(event, (row, event) => row)`);
    checkOptions<FoldOptions<AnyEvent>>(options, { key: true }, { where });
    this.#folds.set(event.type, { event, fold, key: options.key as Folding["key"] });
    this.#checkTopics();
    return this;
  }

  get [part](): PartDeclaration {
    const { name, version } = this;
    if (this.#folds.size === 0)
      throw invalid(`projection ${name}@${version} folds no events; give it some: .on(event, …)`);
    this.#checkTopics();
    const first = { name, version, build: 1 };
    const rows = viewRows(this.#rows.rows(buildLabel(first)), this.#folds);
    const view: View = {
      ...{ name, version, rows },
      tables: () => [],
      tableNames: [],
      fold: (build) => foldInto(this.#rows.rows(buildLabel(build)), rows),
    };
    const handler = handlerOf(view.fold(first));
    const subscriptions = [...this.#folds.values()].map(
      ({ event }): Subscription => ({ contract: event, options: { from: "beginning" }, handler }),
    );
    return {
      title: `projection ${name}@${version}`,
      topics: [],
      commands: [],
      consumers: [{ name: buildLabel(first), options: {}, subscriptions, view }],
    };
  }

  #checkTopics(): void {
    checkTopics(this, this.#folds.values(), this[facts].commutative);
  }
}

function invalid(message: string): Failure {
  return new Failure("OPTION_INVALID", message);
}
