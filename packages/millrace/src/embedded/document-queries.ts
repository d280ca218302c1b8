import type { DocumentFilter, DocumentQuery } from "../store/document-query.js";
import { countSql, type DocumentTables, findSql } from "../store/document-sql.js";
import type { StoredDocument } from "../store/store.js";
import { absent, type DocumentType } from "./documents.js";
import type { Database, SqliteValue, Statement } from "./sqlite.js";

const preparedMax = 200;

/** Queries over documents, each walking one index. Their texts are few, so that they are compiled once. */
export class DocumentQueries {
  readonly #database: Database;
  readonly #prepared = new Map<string, Statement>();

  constructor(database: Database) {
    this.#database = database;
  }

  find(type: DocumentType, query: DocumentQuery): (StoredDocument & { readonly id: string })[] {
    const { text, params } = findSql(tablesOf(type), query);
    return this.#statement(text).all(...params) as unknown as (StoredDocument & { readonly id: string })[];
  }

  count(type: DocumentType, { where }: DocumentFilter): number {
    const { text, params } = countSql(tablesOf(type), where);
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

function tablesOf({ id, unique }: DocumentType): DocumentTables<SqliteValue> {
  const of = (table: string) => `SELECT value, id FROM ${table} WHERE type = ? AND field = ?`;
  return {
    type: id,
    columns: "d.id, d.version, d.schema, d.data AS text",
    documents: "mr_documents",
    // SQLite leaves the order of a cross join alone.
    joined: "CROSS JOIN mr_documents AS d WHERE d.type = ? AND d.id = i.id",
    /** Of a unique field, absent values are in the other table. */
    index: (field) =>
      unique.has(field)
        ? { text: `(${of("mr_document_unique")} UNION ALL ${of("mr_document_index")})`, params: [id, field, id, field] }
        : { text: `(${of("mr_document_index")})`, params: [id, field] },
    // SQLite orders numbers before texts and texts before blobs.
    stored: (value) => value ?? absent,
    textsFrom: "",
  };
}
