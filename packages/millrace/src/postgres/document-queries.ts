import type { DocumentFilter, DocumentQuery } from "../store/document-query.js";
import * as sql from "../store/document-sql.js";
import { indexBytes, textsFrom } from "./index-values.js";

/** A page of documents. */
export function findSql(query: DocumentQuery) {
  return numberedSql(sql.findSql(tablesOf(query.type), query));
}

/** How many documents fit. */
export function countSql({ type, where }: DocumentFilter) {
  return numberedSql(sql.countSql(tablesOf(type), where));
}

function tablesOf(type: string): sql.DocumentTables<string | Buffer> {
  return {
    type,
    columns: "d.id, d.version, d.schema, d.data",
    documents: "$schema.mr_documents",
    joined:
      "CROSS JOIN LATERAL (SELECT * FROM $schema.mr_documents AS d WHERE d.type = ? AND d.id = i.id) AS d WHERE true",
    /** Those of a unique field are in the other table, but for absent ones. */
    index: (field) => {
      const of = (table: string) => `SELECT value, id FROM $schema.${table} WHERE type = ? AND field = ?`;
      return {
        text: `(${of("mr_document_unique")} UNION ALL ${of("mr_document_index")})`,
        params: [type, field, type, field],
      };
    },
    stored: indexBytes,
    textsFrom,
  };
}

/** The texts have no question marks but their parameters. */
function numberedSql<Value>({ text, params }: sql.DocumentSql<Value>): sql.DocumentSql<Value> {
  let n = 0;
  return {
    text: text.replaceAll("?", () => {
      n += 1;
      return `$${n}`;
    }),
    params,
  };
}
