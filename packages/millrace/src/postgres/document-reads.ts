import type { StoredQuery } from "../store/inspect.js";
import type { StoredDocument } from "../store/store.js";
import { indexBytes } from "./index-values.js";
import type { Sight } from "./sight.js";

/** Documents of one kind, for people. */
export async function readStored(
  sight: Sight,
  query: StoredQuery,
): Promise<(StoredDocument & { readonly id: string })[]> {
  const { service, type, id, field, value, after = "", limit } = query;
  const columns = "SELECT d.id, d.version, d.schema, d.data AS text FROM $schema.mr_documents AS d";
  if (id !== undefined) return sight.of(service, `${columns} WHERE d.type = $1 AND d.id = $2`, type, id);
  if (field === undefined)
    return sight.of(service, `${columns} WHERE d.type = $1 AND d.id > $2 ORDER BY d.id LIMIT $3`, type, after, limit);
  return sight.of(
    service,
    `${columns} JOIN $schema.mr_document_index AS i ON i.type = d.type AND i.id = d.id
     WHERE d.type = $1 AND i.field = $2 AND i.value = $3 AND d.id > $4 ORDER BY d.id LIMIT $5`,
    type,
    field,
    indexBytes(value ?? null),
    after,
    limit,
  );
}
