import { checkedLimit, indexValue, wantedValue } from "../consumer/find-documents.js";
import { Failure } from "../failure/failure.js";
import { checkFields, checkOptions, type OptionNames } from "../runtime/options.js";
import type { Bound, DocumentQuery, FieldCondition, IndexValue } from "../store/document-query.js";
import type { ProjectionFacts } from "./projection.js";

/** Bounds of a field: `gt` and `gte` below, `lt` and `lte` above. Only numbers are between numbers, texts between texts. */
export interface Range<Value> {
  readonly gt?: Value;
  readonly gte?: Value;
  readonly lt?: Value;
  readonly lte?: Value;
}

/** What rows are asked for by: fields that equal a value, null for absent ones, or are within a range. */
export type Where<Row> = { readonly [Field in keyof Row]?: Row[Field] | Range<Row[Field]> | null };

/** How rows are found. */
export interface FindOptions<Row> {
  /** An indexed field, rising; with a minus before it, falling. By default the field of a range, else the row's key. */
  readonly order?: (keyof Row & string) | `-${keyof Row & string}`;
  /** Rows in one page: 1 to 1,000 (default 100). */
  readonly limit?: number;
  /** Where the last page ended: its `next`. */
  readonly after?: string;
}

/** Some rows, in order. */
export interface RowPage<Row> {
  readonly rows: readonly Row[];
  /** The keys of the rows, in the same order. */
  readonly ids: readonly string[];
  /** Where the next page begins; undefined when this is the last one. */
  readonly next: string | undefined;
}

type AnyRow = Readonly<Record<string, unknown>>;

const limitMax = 1_000;
const optionNames: OptionNames<FindOptions<AnyRow>> = { order: true, limit: true, after: true };
const rangeNames: OptionNames<Range<unknown>> = { gt: true, gte: true, lt: true, lte: true };

/**
 * The conditions of a query.
 *
 * @throws {Failure} INDEX_MISSING when a field is not indexed; OPTION_INVALID when a condition has no value.
 */
export function conditionsOf(facts: ProjectionFacts, where: AnyRow): readonly FieldCondition[] {
  checkFields(where, `projection ${facts.name}: the conditions`, '{ status: "open" }');
  return Object.entries(where).map(([field, wanted]) => {
    checkIndexed(facts, field);
    if (wanted === undefined)
      throw invalid(facts, `${field} is undefined; leave the condition out, or write null for rows without a value`);
    if (!isRange(wanted)) return { field, equals: wantedValue(wanted, `projection ${facts.name}: ${field}`) };
    return { field, ...rangeOf(facts, field, wanted) };
  });
}

/** The query of a page, and how its `next` is made. */
export interface PageQuery extends Pick<DocumentQuery, "where" | "order" | "after" | "limit"> {
  next(id: string, row: AnyRow): string;
}

/**
 * What a page asks for.
 *
 * @throws {Failure} INDEX_MISSING, or OPTION_INVALID when an option has a value that cannot be used.
 */
export function pageQuery(facts: ProjectionFacts, where: AnyRow, options: FindOptions<AnyRow>): PageQuery {
  checkOptions(options, optionNames, { where: `projection ${facts.name}: find` });
  const limit = checkedLimit(options.limit ?? 100, `projection ${facts.name}: find`);
  if (limit > limitMax) throw invalid(facts, `limit is ${limit}; a page holds at most ${limitMax} rows`, "limit");
  const conditions = conditionsOf(facts, where);
  const order = orderOf(facts, options.order, conditions);
  const name = order === undefined ? "" : `${order.descending ? "-" : ""}${order.field}`;
  return {
    where: conditions,
    order,
    limit,
    after: options.after === undefined ? undefined : placeOf(facts, options.after, name),
    next: (id, row) => cursorOf(name, order === undefined ? null : indexValue(row[order.field]), id),
  };
}

function orderOf(
  facts: ProjectionFacts,
  given: unknown,
  conditions: readonly FieldCondition[],
): DocumentQuery["order"] {
  if (given === undefined) {
    const range = conditions.find((condition) => !("equals" in condition));
    return range === undefined ? undefined : { field: range.field, descending: false };
  }
  if (typeof given !== "string")
    throw invalid(facts, "order is the name of a field, with a minus for falling", "order");
  const descending = given.startsWith("-");
  const field = descending ? given.slice(1) : given;
  checkIndexed(facts, field);
  return { field, descending };
}

function isRange(wanted: unknown): wanted is Range<unknown> {
  if (typeof wanted !== "object" || wanted === null || Array.isArray(wanted)) return false;
  const names = Object.keys(wanted);
  return names.length > 0 && names.every((name) => Object.hasOwn(rangeNames, name));
}

function rangeOf(facts: ProjectionFacts, field: string, { gt, gte, lt, lte }: Range<unknown>) {
  if ((gt !== undefined && gte !== undefined) || (lt !== undefined && lte !== undefined))
    throw invalid(facts, `${field} has two bounds on one side; keep one of them`);
  const from = boundOf(facts, field, gt ?? gte, gt === undefined);
  const to = boundOf(facts, field, lt ?? lte, lt === undefined);
  if (from === undefined && to === undefined) throw invalid(facts, `${field} has a range without a bound`);
  if (from !== undefined && to !== undefined && typeof from.value !== typeof to.value)
    throw invalid(facts, `${field} has bounds of two kinds; give two numbers or two texts`);
  return { ...(from === undefined ? {} : { from }), ...(to === undefined ? {} : { to }) };
}

function boundOf(facts: ProjectionFacts, field: string, given: unknown, inclusive: boolean): Bound | undefined {
  if (given === undefined) return undefined;
  const value = typeof given === "boolean" ? Number(given) : given;
  if (typeof value === "string" || (typeof value === "number" && Number.isFinite(value))) return { value, inclusive };
  throw invalid(facts, `${field} has a bound that is neither number nor text`);
}

function checkIndexed({ name, indexes }: ProjectionFacts, field: string): void {
  if (indexes.includes(field)) return;
  throw new Failure(
    "INDEX_MISSING",
    `projection ${name}: ${field} has no index; declare it in indexes and build the next version`,
  );
}

function cursorOf(order: string, value: IndexValue, id: string): string {
  return Buffer.from(JSON.stringify([order, value, id])).toString("base64url");
}

function placeOf(facts: ProjectionFacts, cursor: unknown, order: string): { value: IndexValue; id: string } {
  try {
    const [made, value, id] = JSON.parse(Buffer.from(String(cursor), "base64url").toString()) as unknown[];
    const isValue = value === null || typeof value === "string" || typeof value === "number";
    if (made === order && isValue && typeof id === "string") return { value, id };
  } catch {
    // It is refused below.
  }
  throw invalid(facts, "after is no `next` of a page in this order; ask from the beginning", "after");
}

function invalid({ name }: ProjectionFacts, problem: string, option = "where"): Failure {
  return new Failure("OPTION_INVALID", `projection ${name}: ${problem}`, { details: { option } });
}
