import type { DocumentWrite } from "../../../store/unit.js";
import type { Place } from "../../places.js";
import type { Applying } from "./applying.js";

/** Commits of a type whose changes are kept, and how often it is looked whether there are more. */
const keptMin = 1_000;
const trimEvery = 256;

/** Notes which documents this commit changes, of types that remember it. */
export async function applyChanges(
  { session, types, facts }: Applying,
  { service, texts }: Place,
  writes: readonly DocumentWrite[],
): Promise<void> {
  const byType = new Map<string, Set<string>>();
  for (const { type, id } of writes) {
    if (types.get(service, type)?.changes !== true) continue;
    const ids = byType.get(type) ?? new Set();
    byType.set(type, ids.add(id));
  }
  for (const [type, ids] of byType) {
    await session.rows(
      texts.of("changed", "INSERT INTO $schema.mr_document_changes(type, version, ids) VALUES ($1, $2, $3)"),
      type,
      facts.xid,
      JSON.stringify([...ids]),
    );
    if (facts.xid % trimEvery < 1) await trim({ session, texts }, type);
  }
}

/** The newest row that is dropped stays, emptied: it says from where on everything is known. */
async function trim({ session, texts }: Pick<Applying, "session"> & Pick<Place, "texts">, type: string): Promise<void> {
  const row = await session.row(
    texts.of(
      "changesBound",
      `SELECT version FROM $schema.mr_document_changes WHERE type = $1 ORDER BY version DESC LIMIT 1 OFFSET ${keptMin}`,
    ),
    type,
  );
  if (row === undefined) return;
  await session.rows(
    texts.of("changesDrop", "DELETE FROM $schema.mr_document_changes WHERE type = $1 AND version < $2"),
    type,
    row[0],
  );
  await session.rows(
    texts.of("changesEmpty", "UPDATE $schema.mr_document_changes SET ids = '' WHERE type = $1 AND version = $2"),
    type,
    row[0],
  );
}
