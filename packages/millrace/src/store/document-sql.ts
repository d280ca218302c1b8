import type { Bound, DocumentQuery, FieldCondition, IndexValue } from "./document-query.js";

/** Part of a statement, with the values of its parameters: a question mark each. */
export interface DocumentSql<Value> {
  readonly text: string;
  readonly params: readonly Value[];
}

/** How a database keeps the documents of one type and their indexes. A document is `d`, an entry of an index is `i`. */
export interface DocumentTables<Value> {
  readonly type: Value;
  /** What is read of a document. */
  readonly columns: string;
  /** The table of all documents. */
  readonly documents: string;
  /** Joins a document to each entry, in the order of the entries; ends in a condition whose last parameter is the type. */
  readonly joined: string;
  /** The values and ids of one index, as a table in brackets. */
  index(field: string): DocumentSql<Value>;
  /** A value as an index keeps it. Values of one kind lie together: numbers, then texts, then absent ones. */
  stored(value: IndexValue): Value;
  /** What no number is above, and no text below. */
  readonly textsFrom: Value;
}

/** A page of documents. One index is walked, whatever the planner thinks: a page must not cost the whole type. */
export function findSql<Value>(
  tables: DocumentTables<Value>,
  query: DocumentQuery,
): DocumentSql<Value | number | string> {
  const { where, order, after, limit } = query;
  const byId = order === undefined;
  // Of a value's documents the index gives the ids in order.
  const equal = byId ? where.find((condition) => "equals" in condition) : undefined;
  const walked = order?.field ?? equal?.field;
  const of = walked === undefined ? [] : where.filter(({ field }) => field === walked);
  const others = where.filter((condition) => !of.includes(condition));
  const direction = order?.descending === true ? "DESC" : "ASC";
  const beyond = order?.descending === true ? "<" : ">";
  const ids = walked === undefined ? "d.id" : "i.id";
  const parts: DocumentSql<Value | string>[] = [
    walked === undefined
      ? { text: `${tables.documents} AS d WHERE d.type = ?`, params: [tables.type] }
      : walkedSql(tables, walked),
    ...of.map((condition) => conditionSql(tables, "i.value", condition)),
    ...others.map((condition) => existsSql(tables, condition, ids)),
  ];
  if (after !== undefined)
    parts.push(
      byId
        ? { text: `${ids} > ?`, params: [after.id] }
        : { text: `(i.value, i.id) ${beyond} (?, ?)`, params: [tables.stored(after.value), after.id] },
    );
  const { text, params } = allSql(parts);
  const ordered = byId ? `${ids} ASC` : `i.value ${direction}, i.id ${direction}`;
  return { text: `SELECT ${tables.columns} FROM ${text} ORDER BY ${ordered} LIMIT ?`, params: [...params, limit] };
}

/** How many documents fit, as `n`. */
export function countSql<Value>(tables: DocumentTables<Value>, where: readonly FieldCondition[]): DocumentSql<Value> {
  const [first, ...others] = where;
  if (first === undefined)
    return { text: `SELECT count(*) AS n FROM ${tables.documents} WHERE type = ?`, params: [tables.type] };
  const source = tables.index(first.field);
  const { text, params } = allSql([
    conditionSql(tables, "i.value", first),
    ...others.map((condition) => existsSql(tables, condition, "i.id")),
  ]);
  return { text: `SELECT count(*) AS n FROM ${source.text} AS i WHERE ${text}`, params: [...source.params, ...params] };
}

function walkedSql<Value>(tables: DocumentTables<Value>, field: string): DocumentSql<Value> {
  const { text, params } = tables.index(field);
  return { text: `${text} AS i ${tables.joined}`, params: [...params, tables.type] };
}

function existsSql<Value>(tables: DocumentTables<Value>, condition: FieldCondition, id: string): DocumentSql<Value> {
  const source = tables.index(condition.field);
  const { text, params } = conditionSql(tables, "o.value", condition);
  return {
    text: `EXISTS (SELECT 1 FROM ${source.text} AS o WHERE o.id = ${id} AND ${text})`,
    params: [...source.params, ...params],
  };
}

/** A range that is open at one end stops at the next kind of value. */
function conditionSql<Value>(
  { stored, textsFrom }: DocumentTables<Value>,
  value: string,
  condition: FieldCondition,
): DocumentSql<Value> {
  if ("equals" in condition) return { text: `${value} = ?`, params: [stored(condition.equals)] };
  const { from, to } = condition;
  const ofTexts = typeof (from ?? to)?.value === "string";
  const bound = (mark: string, { value: end, inclusive }: Bound) => ({
    text: `${value} ${mark}${inclusive ? "=" : ""} ?`,
    params: [stored(end)],
  });
  const parts: DocumentSql<Value>[] = [];
  if (from !== undefined) parts.push(bound(">", from));
  else if (ofTexts) parts.push({ text: `${value} >= ?`, params: [textsFrom] });
  if (to !== undefined) parts.push(bound("<", to));
  else parts.push({ text: `${value} < ?`, params: [ofTexts ? stored(null) : textsFrom] });
  return allSql(parts);
}

function allSql<Value>(parts: readonly DocumentSql<Value>[]): DocumentSql<Value> {
  return { text: parts.map(({ text }) => text).join(" AND "), params: parts.flatMap(({ params }) => params) };
}
