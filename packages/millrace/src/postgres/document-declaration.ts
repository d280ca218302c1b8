import { Failure, isFailure } from "../failure/failure.js";
import { indexesOf } from "../store/document-indexes.js";
import type { DocumentTypeShape } from "../store/store.js";
import type { IndexEntry } from "../store/unit.js";
import { sqlState } from "./errors.js";
import { indexBytes } from "./index-values.js";
import { Locks } from "./locks.js";
import type { Place } from "./places.js";
import type { Session } from "./session.js";

const pageRows = 500;

/**
 * Declares a type, in a transaction. When its indexes changed, the entries of all its documents are made anew, and whoever
 * writes documents waits for it.
 *
 * @throws {Failure} CONFLICT when stored documents do not fit the new indexes.
 */
export async function declareType(session: Session, { schema }: Place, shape: DocumentTypeShape): Promise<void> {
  const { type } = shape;
  const indexes = indexesOf(shape);
  const locks = new Locks();
  locks.alone(`types/${schema}/${type}`);
  await locks.take(session);
  const before = await session.row(`SELECT indexes FROM ${schema}.mr_document_types WHERE name = $1`, type);
  if (before?.[0] === indexes) return;
  if (before !== undefined) {
    await session.script(`LOCK TABLE ${schema}.mr_documents IN SHARE ROW EXCLUSIVE MODE`);
    await reindex(session, schema, shape);
  }
  await session.rows(
    `INSERT INTO ${schema}.mr_document_types(name, indexes) VALUES ($1, $2)
     ON CONFLICT (name) DO UPDATE SET indexes = excluded.indexes`,
    type,
    indexes,
  );
}

async function reindex(session: Session, schema: string, shape: DocumentTypeShape): Promise<void> {
  const { type } = shape;
  await session.rows(`DELETE FROM ${schema}.mr_document_index WHERE type = $1`, type);
  await session.rows(`DELETE FROM ${schema}.mr_document_unique WHERE type = $1`, type);
  for (let after = ""; ; ) {
    const rows = await session.rows(
      `SELECT id, schema, data FROM ${schema}.mr_documents WHERE type = $1 AND id > $2 ORDER BY id LIMIT ${pageRows}`,
      type,
      after,
    );
    const entries = rows.flatMap(([id, version, data]) =>
      entriesOf(shape, { text: data as string, schema: version as number }).map((entry) => ({
        id: id as string,
        entry,
      })),
    );
    await insert(session, schema, { shape, entries });
    const last = rows.at(-1);
    if (last === undefined) return;
    after = last[0] as string;
  }
}

/** Of a document that was stored before its index was declared: when it does not fit, the declaration is at fault. */
function entriesOf(
  shape: DocumentTypeShape,
  { text, schema }: { text: string; schema: number },
): readonly IndexEntry[] {
  try {
    return shape.indexOf(text, schema);
  } catch (cause) {
    if (!isFailure(cause, "DOCUMENT_REJECTED")) throw cause;
    throw new Failure("CONFLICT", `${where(shape)} cannot be indexed: ${cause.message}`, { cause });
  }
}

interface Inserting {
  readonly shape: DocumentTypeShape;
  readonly entries: readonly { readonly id: string; readonly entry: IndexEntry }[];
}

async function insert(session: Session, schema: string, { shape, entries }: Inserting): Promise<void> {
  const isUnique = ({ entry }: Inserting["entries"][number]) => entry.unique && entry.value !== null;
  for (const [table, of] of [
    ["mr_document_unique", entries.filter(isUnique)],
    ["mr_document_index", entries.filter((one) => !isUnique(one))],
  ] as const) {
    try {
      await session.rows(
        `INSERT INTO ${schema}.${table}(type, field, value, id)
         SELECT $1, field, value, id FROM unnest($2::text[], $3::bytea[], $4::text[]) AS w(field, value, id)`,
        shape.type,
        of.map(({ entry }) => entry.field),
        of.map(({ entry }) => indexBytes(entry.value)),
        of.map(({ id }) => id),
      );
    } catch (cause) {
      // "unique_violation"
      if (sqlState(cause) !== "23505") throw cause;
      throw new Failure(
        "CONFLICT",
        `${where(shape)}: stored documents share a value of a unique field (${shape.unique.join(", ")}); make them differ first, or declare the field in indexes`,
        { cause },
      );
    }
  }
}

const where = ({ service, type }: DocumentTypeShape) => `documents ${type} of ${service}`;
