import type { StoredQuery } from "../store/inspect.js";
import type { StoredDocument } from "../store/store.js";
import { all, first } from "./query.js";
import type { Database } from "./sqlite.js";

/** Documents of one kind, for people: read from the file as it is. */
export function readStored(database: Database, query: StoredQuery): (StoredDocument & { readonly id: string })[] {
  const { service, type, id, field, value, after = "", limit } = query;
  const known = first<{ type: number }>(
    database,
    "SELECT type FROM mr_document_types WHERE service = ? AND name = ?",
    service,
    type,
  );
  if (known === undefined) return [];
  const columns = "SELECT d.id, d.version, d.schema, d.data AS text FROM mr_documents AS d";
  if (id !== undefined) return all(database, `${columns} WHERE d.type = ? AND d.id = ?`, known.type, id);
  if (field === undefined)
    return all(database, `${columns} WHERE d.type = ? AND d.id > ? ORDER BY d.id LIMIT ?`, known.type, after, limit);
  return all(
    database,
    `${columns} JOIN mr_document_index AS i ON i.type = d.type AND i.id = d.id
     WHERE d.type = ? AND i.field = ? AND i.value = ? AND d.id > ? ORDER BY d.id LIMIT ?`,
    known.type,
    field,
    value ?? null,
    after,
    limit,
  );
}
