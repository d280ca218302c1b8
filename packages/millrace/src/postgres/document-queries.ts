import type { Bound, DocumentFilter, DocumentQuery, FieldCondition } from "../store/document-query.js";
import { absentFrom, indexBytes, textsFrom } from "./index-values.js";

/** Part of a statement, with the values of its parameters. */
interface Sql {
  readonly text: string;
  readonly params: readonly unknown[];
}

const columns = "d.id, d.version, d.schema, d.data";

/** A page of documents. One index is walked, whatever the planner thinks: a page must not cost the whole type. */
export function findSql({ type, where, order, after, limit }: DocumentQuery): Sql {
  const byId = order === undefined;
  // Of a value's documents the index gives the ids in order.
  const equal = byId ? where.find((condition) => "equals" in condition) : undefined;
  const walked = order?.field ?? equal?.field;
  const of = walked === undefined ? [] : where.filter(({ field }) => field === walked);
  const others = where.filter((condition) => !of.includes(condition));
  const direction = order?.descending === true ? "DESC" : "ASC";
  const beyond = order?.descending === true ? "<" : ">";
  const ids = walked === undefined ? "d.id" : "i.id";
  const parts: Sql[] = [
    ...of.map((condition) => conditionSql("i.value", condition)),
    ...others.map((condition) => existsSql(type, condition, ids)),
  ];
  if (after !== undefined)
    parts.push(
      byId
        ? { text: `${ids} > ?`, params: [after.id] }
        : { text: `(i.value, i.id) ${beyond} (?, ?)`, params: [indexBytes(after.value), after.id] },
    );
  const ordered = byId ? `${ids} ASC` : `i.value ${direction}, i.id ${direction}`;
  const source: Sql =
    walked === undefined
      ? { text: "$schema.mr_documents AS d WHERE d.type = ?", params: [type] }
      : walkedSql(type, walked);
  return numberedSql(
    `SELECT ${columns} FROM ${[source, ...parts].map((part) => part.text).join(" AND ")} ORDER BY ${ordered} LIMIT ?`,
    [...[source, ...parts].flatMap((part) => part.params), limit],
  );
}

/** How many documents fit. */
export function countSql({ type, where }: DocumentFilter): Sql {
  const [first, ...others] = where;
  if (first === undefined) return numberedSql("SELECT count(*) FROM $schema.mr_documents WHERE type = ?", [type]);
  const source = sourceSql(type, first.field);
  const parts = [conditionSql("i.value", first), ...others.map((condition) => existsSql(type, condition, "i.id"))];
  return numberedSql(`SELECT count(*) FROM ${source.text} AS i WHERE ${parts.map((part) => part.text).join(" AND ")}`, [
    ...source.params,
    ...parts.flatMap((part) => part.params),
  ]);
}

function walkedSql(type: string, field: string): Sql {
  const source = sourceSql(type, field);
  return {
    text: `${source.text} AS i CROSS JOIN LATERAL (SELECT * FROM $schema.mr_documents AS d WHERE d.type = ? AND d.id = i.id) AS d WHERE true`,
    params: [...source.params, type],
  };
}

/** Values and ids of one index: those of a unique field are in the other table, but for absent ones. */
function sourceSql(type: string, field: string): Sql {
  const of = (table: string) => `SELECT value, id FROM $schema.${table} WHERE type = ? AND field = ?`;
  return {
    text: `(${of("mr_document_unique")} UNION ALL ${of("mr_document_index")})`,
    params: [type, field, type, field],
  };
}

function existsSql(type: string, condition: FieldCondition, id: string): Sql {
  const source = sourceSql(type, condition.field);
  const { text, params } = conditionSql("o.value", condition);
  return {
    text: `EXISTS (SELECT 1 FROM ${source.text} AS o WHERE o.id = ${id} AND ${text})`,
    params: [...source.params, ...params],
  };
}

/** Values of one kind lie together: a range that is open at one end stops at the next kind. */
function conditionSql(value: string, condition: FieldCondition): Sql {
  if ("equals" in condition) return { text: `${value} = ?`, params: [indexBytes(condition.equals)] };
  const { from, to } = condition;
  const text = typeof (from ?? to)?.value === "string";
  const parts: Sql[] = [];
  if (from !== undefined) parts.push(boundSql(`${value} >`, from));
  else if (text) parts.push({ text: `${value} >= ?`, params: [textsFrom] });
  if (to !== undefined) parts.push(boundSql(`${value} <`, to));
  else parts.push({ text: `${value} < ?`, params: [text ? absentFrom : textsFrom] });
  return { text: parts.map((part) => part.text).join(" AND "), params: parts.flatMap((part) => part.params) };
}

function boundSql(compared: string, { value, inclusive }: Bound): Sql {
  return { text: `${compared}${inclusive ? "=" : ""} ?`, params: [indexBytes(value)] };
}

/** The texts have no question marks but their parameters. */
function numberedSql(text: string, params: readonly unknown[]): Sql {
  let n = 0;
  return {
    text: text.replaceAll("?", () => {
      n += 1;
      return `$${n}`;
    }),
    params,
  };
}
