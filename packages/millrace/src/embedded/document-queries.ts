import type { Bound, DocumentFilter, DocumentQuery, FieldCondition, IndexValue } from "../store/document-query.js";
import type { StoredDocument } from "../store/store.js";
import { absent, type DocumentType } from "./documents.js";
import type { Database, SqliteValue, Statement } from "./sqlite.js";

const preparedMax = 200;

/** Part of a statement, with the values of its parameters. */
interface Sql {
  readonly text: string;
  readonly params: readonly SqliteValue[];
}

/** Queries over documents, each walking one index. Their texts are few, so that they are compiled once. */
export class DocumentQueries {
  readonly #database: Database;
  readonly #prepared = new Map<string, Statement>();

  constructor(database: Database) {
    this.#database = database;
  }

  find(type: DocumentType, query: DocumentQuery): (StoredDocument & { readonly id: string })[] {
    const { text, params } = findSql(type, query);
    return this.#statement(text).all(...params) as unknown as (StoredDocument & { readonly id: string })[];
  }

  count(type: DocumentType, { where }: DocumentFilter): number {
    const { text, params } = countSql(type, where);
    return (this.#statement(text).get(...params) as { readonly n: number }).n;
  }

  #statement(text: string): Statement {
    let statement = this.#prepared.get(text);
    if (statement === undefined) {
      statement = this.#database.prepare(text);
      if (this.#prepared.size >= preparedMax) this.#prepared.clear();
      this.#prepared.set(text, statement);
    }
    return statement;
  }
}

const columns = "d.id, d.version, d.schema, d.data AS text";

function findSql(type: DocumentType, { where, order, after, limit }: DocumentQuery): Sql {
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
        : { text: `(i.value, i.id) ${beyond} (?, ?)`, params: [stored(after.value), after.id] },
    );
  const ordered = byId ? `${ids} ASC` : `i.value ${direction}, i.id ${direction}`;
  const from = walked === undefined ? undefined : sourceSql(type, walked);
  // The index is walked, whatever the planner thinks: a page must not cost the whole type.
  const source: Sql =
    from === undefined
      ? { text: "mr_documents AS d WHERE d.type = ?", params: [type.id] }
      : {
          text: `${from.text} AS i CROSS JOIN mr_documents AS d WHERE d.type = ? AND d.id = i.id`,
          params: [...from.params, type.id],
        };
  return {
    text: `SELECT ${columns} FROM ${[source, ...parts].map((part) => part.text).join(" AND ")} ORDER BY ${ordered} LIMIT ?`,
    params: [...[source, ...parts].flatMap((part) => part.params), limit],
  };
}

function countSql(type: DocumentType, where: readonly FieldCondition[]): Sql {
  const [first, ...others] = where;
  if (first === undefined) return { text: "SELECT count(*) AS n FROM mr_documents WHERE type = ?", params: [type.id] };
  const source = sourceSql(type, first.field);
  const parts = [conditionSql("i.value", first), ...others.map((condition) => existsSql(type, condition, "i.id"))];
  return {
    text: `SELECT count(*) AS n FROM ${source.text} AS i WHERE ${parts.map((part) => part.text).join(" AND ")}`,
    params: [...source.params, ...parts.flatMap((part) => part.params)],
  };
}

/** Values and ids of one index. Of a unique field, absent values are in the other table. */
function sourceSql(type: DocumentType, field: string): Sql {
  const of = (table: string) => `SELECT value, id FROM ${table} WHERE type = ? AND field = ?`;
  if (!type.unique.has(field)) return { text: `(${of("mr_document_index")})`, params: [type.id, field] };
  return {
    text: `(${of("mr_document_unique")} UNION ALL ${of("mr_document_index")})`,
    params: [type.id, field, type.id, field],
  };
}

function existsSql(type: DocumentType, condition: FieldCondition, id: string): Sql {
  const source = sourceSql(type, condition.field);
  const { text, params } = conditionSql("o.value", condition);
  return {
    text: `EXISTS (SELECT 1 FROM ${source.text} AS o WHERE o.id = ${id} AND ${text})`,
    params: [...source.params, ...params],
  };
}

/** SQLite orders numbers before texts and texts before blobs: a range that is open at one end stops at the next kind. */
function conditionSql(value: string, condition: FieldCondition): Sql {
  if ("equals" in condition) return { text: `${value} = ?`, params: [stored(condition.equals)] };
  const { from, to } = condition;
  const text = typeof (from ?? to)?.value === "string";
  const parts: Sql[] = [];
  if (from !== undefined) parts.push(boundSql(`${value} >`, from));
  else if (text) parts.push({ text: `${value} >= ''`, params: [] });
  if (to !== undefined) parts.push(boundSql(`${value} <`, to));
  else parts.push(text ? { text: `${value} < ?`, params: [absent] } : { text: `${value} < ''`, params: [] });
  return { text: parts.map((part) => part.text).join(" AND "), params: parts.flatMap((part) => part.params) };
}

function boundSql(compared: string, { value, inclusive }: Bound): Sql {
  return { text: `${compared}${inclusive ? "=" : ""} ?`, params: [value] };
}

const stored = (value: IndexValue): SqliteValue => value ?? absent;
