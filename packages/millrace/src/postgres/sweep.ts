import { type Build, buildLabel, tablePrefix } from "../store/builds.js";
import type { ServicePlace } from "./install.js";
import { inTransaction, type Session } from "./session.js";

const piece = 2_000;

/** Removes some of the rows of a service's dropped builds. False when there is nothing left. */
export async function sweepDropped(session: Session, place: ServicePlace): Promise<boolean> {
  const dropped = await session.objects<Build>(
    `SELECT $1::text AS service, name, version, build FROM ${place.schema}.mr_builds WHERE state = 'dropped'`,
    place.service,
  );
  for (const build of dropped) {
    if (await dropTable(session, place, build)) return true;
    if (await sweepType(session, place, buildLabel(build))) return true;
  }
  return false;
}

/** Tables of its own; they are dropped one at a time. */
async function dropTable(session: Session, { schema }: ServicePlace, build: Build): Promise<boolean> {
  const row = await session.row(
    `SELECT quote_ident(relname) FROM pg_class
     WHERE relnamespace = to_regnamespace($1) AND relkind = 'r' AND starts_with(relname::text, $2) LIMIT 1`,
    schema,
    tablePrefix(build),
  );
  if (row === undefined) return false;
  await session.script(`DROP TABLE ${schema}.${row[0]}`);
  return true;
}

async function sweepType(session: Session, { schema }: ServicePlace, type: string): Promise<boolean> {
  if ((await session.row(`SELECT 1 FROM ${schema}.mr_document_types WHERE name = $1`, type)) === undefined)
    return false;
  return inTransaction(session, async () => {
    const ids = (
      await session.rows(`SELECT id FROM ${schema}.mr_documents WHERE type = $1 ORDER BY id LIMIT ${piece}`, type)
    ).map(([id]) => id);
    if (ids.length === 0) {
      for (const table of ["mr_document_changes", "mr_document_index", "mr_document_unique"])
        await session.rows(`DELETE FROM ${schema}.${table} WHERE type = $1`, type);
      await session.rows(`DELETE FROM ${schema}.mr_document_types WHERE name = $1`, type);
    } else
      for (const table of ["mr_document_index", "mr_document_unique", "mr_documents"])
        await session.rows(`DELETE FROM ${schema}.${table} WHERE type = $1 AND id = ANY($2::text[])`, type, ids);
    return true;
  });
}
