import type { Changes, ChangesQuery, DocumentFilter, DocumentQuery } from "../store/document-query.js";
import type { StoredDocument } from "../store/store.js";
import { textArray } from "./arrays.js";
import { countSql, findSql } from "./document-queries.js";
import type { Place } from "./places.js";
import type { Session } from "./session.js";

/** Documents as they are committed, in the order in which they are asked for. */
export async function readDocuments(
  session: Session,
  { texts }: Place,
  keys: readonly { readonly type: string; readonly id: string }[],
): Promise<readonly (StoredDocument | undefined)[]> {
  const rows = await session.rows(
    texts.of(
      "documents",
      `SELECT w.n::int, d.version, d.schema, d.data FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS w(type, id, n)
       CROSS JOIN LATERAL (SELECT * FROM $schema.mr_documents AS d WHERE d.type = w.type AND d.id = w.id) AS d`,
    ),
    textArray(keys.map(({ type }) => type)),
    textArray(keys.map(({ id }) => id)),
  );
  const found = new Array<StoredDocument | undefined>(keys.length);
  for (const [n, version, schema, text] of rows as [number, number, number, string][])
    found[n - 1] = { version, schema, text };
  return found;
}

/** Committed documents that fit, in the query's order. */
export async function findDocuments(session: Session, { schema }: Place, query: DocumentQuery) {
  const { text, params } = findSql(query);
  const rows = await session.rows(text.replaceAll("$schema", schema), ...params);
  return rows.map(([id, version, of, data]) => ({ id, version, schema: of, text: data })) as (StoredDocument & {
    readonly id: string;
  })[];
}

/** How many fit. */
export async function countDocuments(session: Session, { schema }: Place, filter: DocumentFilter): Promise<number> {
  const { text, params } = countSql(filter);
  const row = await session.row(text.replaceAll("$schema", schema), ...params);
  return row?.[0] as number;
}

/**
 * What commits have changed, in the order of their numbers. A commit with a lower number may become visible later than one
 * with a higher: not after `last`, which is below every transaction under way.
 */
export async function readChanges(session: Session, { texts }: Place, query: ChangesQuery): Promise<Changes> {
  const { type, after, limit } = query;
  const last = await lastCommit(session);
  const rows = await session.rows(
    texts.of(
      "changes",
      `SELECT version, ids FROM $schema.mr_document_changes WHERE type = $1 AND version > $2 AND ids <> '' ORDER BY version LIMIT $3`,
    ),
    ...[type, after, limit],
  );
  // Read last: what is dropped meanwhile is not taken for known.
  const known = await session.row(
    texts.of(
      "knownAfter",
      "SELECT version FROM $schema.mr_document_changes WHERE type = $1 AND ids = '' ORDER BY version LIMIT 1",
    ),
    type,
  );
  return {
    commits: rows.map(([commit, ids]) => ({ commit: commit as number, ids: JSON.parse(ids as string) as string[] })),
    knownAfter: (known?.[0] as number | undefined) ?? 0,
    last,
  };
}

/** Every commit up to this number is visible to what is read from now on. */
export async function lastCommit(session: Session): Promise<number> {
  const [xmin] = (await session.row("SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint")) as [number];
  return xmin - 1;
}
