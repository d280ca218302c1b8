import type { DocumentWrite, IndexEntry } from "../../../store/unit.js";
import { plainArray, textArray } from "../../arrays.js";
import { indexBytes } from "../../index-values.js";
import type { Place } from "../../places.js";
import { documentKey } from "../group.js";
import type { Applying } from "./applying.js";
import { applyChanges } from "./changes.js";

/** Writes documents with their indexes; each is written once in a group. */
export async function applyDocuments(applying: Applying): Promise<void> {
  for (const [service, writes] of applying.staged.documents) {
    const place = await applying.places.of(service);
    if (place !== applying.place) await upsert(applying, place, writes);
    const deleted = writes.filter(({ text }) => text === undefined);
    if (deleted.length > 0)
      await applying.session.rows(
        place.texts.of(
          "delete",
          `DELETE FROM $schema.mr_documents AS d USING unnest($1::text[], $2::text[]) AS w(type, id)
           WHERE d.type = w.type AND d.id = w.id`,
        ),
        ...keysOf(deleted),
      );
    await reindex(applying, place, writes);
    await applyChanges(applying, place, writes);
  }
}

/** Old index entries go first, so that documents may swap unique values. */
async function reindex(applying: Applying, { texts, service }: Place, writes: readonly DocumentWrite[]): Promise<void> {
  const { session, types, facts } = applying;
  const typeOf = (write: DocumentWrite) => types.get(service, write.type);
  const changed = writes.filter((write) => typeOf(write)?.indexed === true && write.indexedAlike !== true);
  if (changed.length === 0) return;
  // What is known to be new has no entries yet.
  const versions = facts.versions.get(service);
  const before = changed.filter((write) => versions?.has(documentKey(write)) === true);
  for (const table of ["mr_document_index", "mr_document_unique"] as const) {
    const of = table === "mr_document_index" ? before : before.filter((write) => typeOf(write)?.unique === true);
    if (of.length === 0) continue;
    await session.rows(
      texts.of(
        `un${table}`,
        `DELETE FROM $schema.${table} AS i USING unnest($1::text[], $2::text[]) AS w(type, id)
         WHERE i.type = w.type AND i.id = w.id`,
      ),
      ...keysOf(of),
    );
  }
  const entries = changed.flatMap((write) =>
    write.text === undefined ? [] : write.indexed.map((entry) => ({ write, entry })),
  );
  // Absent values are not unique: as in SQL, any number of documents may lack one.
  const isUnique = ({ entry }: { readonly entry: IndexEntry }) => entry.unique && entry.value !== null;
  for (const [table, of] of [
    ["mr_document_unique", entries.filter(isUnique)],
    ["mr_document_index", entries.filter((one) => !isUnique(one))],
  ] as const) {
    if (of.length === 0) continue;
    await session.rows(
      texts.of(
        `in${table}`,
        `INSERT INTO $schema.${table}(type, field, value, id)
         SELECT * FROM unnest($1::text[], $2::text[], $3::bytea[], $4::text[])`,
      ),
      of.map(({ write }) => write.type),
      of.map(({ entry }) => entry.field),
      of.map(({ entry }) => indexBytes(entry.value)),
      of.map(({ write }) => write.id),
    );
  }
}

/** Documents of another service: those of the group's own are written with its events and positions. */
async function upsert({ session, facts }: Applying, { texts }: Place, writes: readonly DocumentWrite[]): Promise<void> {
  await session.rows(
    texts.of("upsert", upsertText({ first: 1, version: "$5" })),
    ...upsertColumns(writes.filter(({ text }) => text !== undefined)),
    facts.xid,
  );
}

/** Writes documents from four arrays of parameters, as {@link upsertColumns} has them. */
export function upsertText({ first, version }: { readonly first: number; readonly version: string }): string {
  const [types, ids, schemas, texts] = [0, 1, 2, 3].map((n) => `$${first + n}`);
  return `INSERT INTO $schema.mr_documents(type, id, version, schema, data)
    SELECT type, id, ${version}, schema, data
    FROM unnest(${types}::text[], ${ids}::text[], ${schemas}::int[], ${texts}::text[]) AS w(type, id, schema, data)
    ON CONFLICT (type, id) DO UPDATE SET version = excluded.version, schema = excluded.schema, data = excluded.data`;
}

/** What {@link upsertText} writes. */
export function upsertColumns(writes: readonly DocumentWrite[]): (string | Buffer)[] {
  return [
    textArray(writes.map(({ type }) => type)),
    textArray(writes.map(({ id }) => id)),
    plainArray(writes.map(({ schema }) => schema)),
    textArray(writes.map(({ text }) => text ?? null)),
  ];
}

function keysOf(writes: readonly DocumentWrite[]): [string[], string[]] {
  return [writes.map(({ type }) => type), writes.map(({ id }) => id)];
}
