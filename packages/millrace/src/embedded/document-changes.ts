import type { Changes, ChangesQuery } from "../store/document-query.js";
import { all, first } from "./query.js";
import { type Database, prepareRows, type Statement } from "./sqlite.js";

/** Commits of a type whose changes are kept, and how often it is looked whether there are more. */
const keptMin = 1_000;
const trimEvery = 256;

/**
 * Which documents of a type each commit changed, a row for each commit and type. The newest row that was dropped stays,
 * emptied: it says from where on everything is known.
 */
export class DocumentChanges {
  readonly #insert: Statement;
  readonly #bound: Statement;
  readonly #drop: Statement;
  readonly #empty: Statement;
  readonly #written = new Map<number, number>();
  #changed = new Map<number, string[]>();

  constructor(database: Database) {
    this.#insert = database.prepare("INSERT OR REPLACE INTO mr_document_changes VALUES (?, ?, ?)");
    this.#bound = prepareRows(
      database,
      `SELECT version FROM mr_document_changes WHERE type = ? ORDER BY version DESC LIMIT 1 OFFSET ${keptMin}`,
    );
    this.#drop = database.prepare("DELETE FROM mr_document_changes WHERE type = ? AND version < ?");
    this.#empty = database.prepare("UPDATE mr_document_changes SET ids = '' WHERE type = ? AND version = ?");
  }

  add(type: number, id: string): void {
    const ids = this.#changed.get(type);
    if (ids === undefined) this.#changed.set(type, [id]);
    else ids.push(id);
  }

  write(commit: number): void {
    if (this.#changed.size === 0) return;
    for (const [type, ids] of this.#changed) {
      this.#insert.run(type, commit, JSON.stringify([...new Set(ids)]));
      const written = (this.#written.get(type) ?? 0) + 1;
      this.#written.set(type, written);
      if (written % trimEvery === 0) this.#trim(type);
    }
    this.#changed = new Map();
  }

  undo(): void {
    this.#changed = new Map();
  }

  #trim(type: number): void {
    const row = this.#bound.get(type) as [number] | undefined;
    if (row === undefined) return;
    this.#drop.run(type, row[0]);
    this.#empty.run(type, row[0]);
  }
}

/** What is known of a type's changes after a commit. */
export function readChanges(database: Database, type: number | undefined, query: ChangesQuery): Changes {
  const last = first<{ commits: number }>(database, "SELECT commits FROM mr_engine")?.commits ?? 0;
  if (type === undefined) return { commits: [], knownAfter: 0, last };
  const rows = all<{ version: number; ids: string }>(
    database,
    "SELECT version, ids FROM mr_document_changes WHERE type = ? AND version > ? AND ids <> '' ORDER BY version LIMIT ?",
    type,
    query.after,
    query.limit,
  );
  // Read last: what is dropped meanwhile is not taken for known.
  const known = "SELECT version FROM mr_document_changes WHERE type = ? AND ids = '' ORDER BY version LIMIT 1";
  const knownAfter = first<{ version: number }>(database, known, type)?.version ?? 0;
  return {
    commits: rows.map(({ version, ids }) => ({ commit: version, ids: JSON.parse(ids) as string[] })),
    knownAfter,
    last,
  };
}
