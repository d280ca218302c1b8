import { Failure, isFailure } from "../failure/failure.js";
import { indexesOf, type KeptIndexes } from "../store/document-indexes.js";
import type { DocumentTypeShape, StoredDocument } from "../store/store.js";
import type { DocumentRead, DocumentWrite, IndexEntry } from "../store/unit.js";
import { DocumentCache } from "./document-cache.js";
import { DocumentChanges } from "./document-changes.js";
import { type Database, prepareRows, type Statement } from "./sqlite.js";

/** A declared type, as the file and its writer know it. */
export interface DocumentType {
  readonly id: number;
  readonly service: string;
  readonly name: string;
  /** Ids that the group under way has written. */
  readonly staged: Set<string>;
  readonly cache: DocumentCache;
  /** Its declared indexes, as mr_document_types keeps them. */
  readonly indexes: string;
  readonly indexed: boolean;
  readonly unique: ReadonlySet<string>;
  /** Which documents a commit changes is remembered. */
  readonly changes: boolean;
}

/**
 * Documents of all services. The owner process is the only writer, so what it remembers of them is exact.
 * A unique field's row is its lock: the primary key lets one document have the value.
 */
export class DocumentTables {
  readonly #types = new Map<string, DocumentType>();
  readonly #cached: boolean;
  #last: DocumentType | undefined;
  #staged: { readonly type: DocumentType; readonly write: DocumentWrite; readonly version: number }[] = [];
  readonly #database: Database;
  readonly #select: Statement;
  readonly #upsert: Statement;
  readonly #delete: Statement;
  readonly #unindex: Statement;
  readonly #ununique: Statement;
  readonly #index: Statement;
  readonly #unique: Statement;
  readonly #holder: Statement;
  readonly #changes: DocumentChanges;

  /** Without `cached`, every read asks the file: for connections that are not the writer's. */
  constructor(database: Database, cached = true) {
    this.#database = database;
    this.#cached = cached;
    this.#select = prepareRows(database, "SELECT version, schema, data FROM mr_documents WHERE type = ? AND id = ?");
    this.#upsert = database.prepare(
      `INSERT INTO mr_documents VALUES (?, ?, ?, ?, ?)
       ON CONFLICT DO UPDATE SET version = excluded.version, schema = excluded.schema, data = excluded.data`,
    );
    this.#delete = database.prepare("DELETE FROM mr_documents WHERE type = ? AND id = ?");
    this.#unindex = database.prepare("DELETE FROM mr_document_index WHERE type = ? AND id = ?");
    this.#ununique = database.prepare("DELETE FROM mr_document_unique WHERE type = ? AND id = ?");
    this.#index = database.prepare("INSERT OR REPLACE INTO mr_document_index VALUES (?, ?, ?, ?)");
    this.#unique = database.prepare("INSERT INTO mr_document_unique VALUES (?, ?, ?, ?)");
    this.#holder = prepareRows(
      database,
      "SELECT id FROM mr_document_unique WHERE type = ? AND field = ? AND value = ?",
    );
    this.#changes = new DocumentChanges(database);
    this.refresh();
  }

  /** Forgets what it remembers: something other than a unit has changed documents. */
  forget(): void {
    this.#types.clear();
    this.#last = undefined;
    this.refresh();
  }

  /** Reads the declared types anew: another process may have declared some. */
  refresh(): void {
    const rows = this.#database
      .prepare("SELECT type, service, name, indexes FROM mr_document_types")
      .all() as TypeRow[];
    for (const { service, name, type, indexes } of rows)
      if (this.#types.get(`${service}/${name}`)?.indexes !== indexes)
        this.#declare({ service, name, id: type, indexes });
  }

  read(service: string, type: string, id: string): StoredDocument | undefined {
    const known = this.#known(service, type);
    return known === undefined ? undefined : this.#load(known, id);
  }

  /** True when the document is not what was read: changed since, or written by the group under way. */
  stale(read: DocumentRead): boolean {
    const type = this.#known(read.service, read.type);
    if (type === undefined) return read.version !== 0;
    return type.staged.has(read.id) || (this.#load(type, read.id)?.version ?? 0) !== read.version;
  }

  /** True when the group under way has written the document: the first unit to touch it wins. */
  staged(write: DocumentWrite): boolean {
    return this.#type(write).staged.has(write.id);
  }

  /** The id of another document that has one of the write's unique values. */
  conflict(write: DocumentWrite): { readonly field: string; readonly id: string } | undefined {
    for (const { field, value, unique } of write.indexed) {
      if (!unique || value === null) continue;
      const row = this.#holder.get(this.#type(write).id, field, value) as [string] | undefined;
      if (row !== undefined && row[0] !== write.id) return { field, id: row[0] };
    }
    return undefined;
  }

  /** Writes a unit's documents. Their old index entries go first, so that two of them may swap a unique value. */
  write(writes: readonly DocumentWrite[], commit: number): void {
    for (const write of writes) {
      const type = this.#type(write);
      // What is known to be new has no entries yet.
      if (!type.indexed || write.indexedAlike || (this.#cached && type.cache.get(write.id) === undefined)) continue;
      this.#unindex.run(type.id, write.id);
      if (type.unique.size > 0) this.#ununique.run(type.id, write.id);
    }
    for (const write of writes) {
      const type = this.#type(write);
      if (write.text === undefined) this.#delete.run(type.id, write.id);
      else this.#upsert.run(type.id, write.id, commit, write.schema, write.text);
      if (type.indexed && write.text !== undefined && !write.indexedAlike)
        this.#insertIndexes(type.id, write.id, write.indexed);
      type.staged.add(write.id);
      if (type.changes) this.#changes.add(type.id, write.id);
      this.#staged.push({ type, write, version: commit });
    }
  }

  /** All of the group's documents are written: what belongs to the group as a whole is, too. */
  finish(commit: number): void {
    this.#changes.write(commit);
  }

  /** The group is on disk: remember what it wrote. */
  keep(): void {
    for (const { type, write, version } of this.#staged) {
      const { id, text, schema } = write;
      type.cache.set(id, text === undefined ? undefined : { version, schema, text });
      if (type.staged.size > 0) type.staged.clear();
    }
    this.#staged = [];
  }

  undo(): void {
    this.#changes.undo();
    for (const { type } of this.#staged) type.staged.clear();
    this.#staged = [];
  }

  /** A declared type, if there is one. */
  type(service: string, name: string): DocumentType | undefined {
    return this.#known(service, name);
  }

  /** True when the type is declared with these indexes already. */
  isDeclared(shape: DocumentTypeShape): boolean {
    return this.#types.get(`${shape.service}/${shape.type}`)?.indexes === indexesOf(shape);
  }

  /**
   * Declares a type. When its indexes changed, the entries of all its documents are made anew. Runs inside a
   * transaction; what it returns is to be called when that is on disk.
   *
   * @throws {Failure} CONFLICT when stored documents do not fit the new indexes.
   */
  ensure(shape: DocumentTypeShape): () => void {
    const { service, type: name } = shape;
    const indexes = indexesOf(shape);
    const stored = this.#types.get(`${service}/${name}`);
    if (stored !== undefined) {
      this.#reindex(stored.id, shape, indexes);
      return () => this.#declare({ ...stored, indexes });
    }
    const { lastInsertRowid } = this.#database
      .prepare("INSERT INTO mr_document_types(service, name, indexes) VALUES (?, ?, ?)")
      .run(service, name, indexes);
    return () => this.#declare({ service, name, id: Number(lastInsertRowid), indexes });
  }

  #declare(type: Pick<DocumentType, "service" | "name" | "id" | "indexes">): void {
    const kept = JSON.parse(type.indexes) as Partial<KeptIndexes>;
    this.#types.set(`${type.service}/${type.name}`, {
      ...type,
      cache: new DocumentCache(),
      staged: new Set(),
      indexed: (kept.indexes?.length ?? 0) + (kept.unique?.length ?? 0) > 0,
      unique: new Set(kept.unique),
      changes: kept.changes === true,
    });
    this.#last = undefined;
  }

  #reindex(type: number, shape: DocumentTypeShape, indexes: string): void {
    this.#database.prepare("DELETE FROM mr_document_index WHERE type = ?").run(type);
    this.#database.prepare("DELETE FROM mr_document_unique WHERE type = ?").run(type);
    const page = this.#database.prepare(
      "SELECT id, schema, data FROM mr_documents WHERE type = ? AND id > ? ORDER BY id LIMIT 500",
    );
    for (let after = ""; ; ) {
      const rows = page.all(type, after) as { id: string; schema: number; data: string }[];
      for (const row of rows) this.#indexStored(type, shape, row);
      const last = rows.at(-1);
      if (last === undefined) break;
      after = last.id;
    }
    this.#database.prepare("UPDATE mr_document_types SET indexes = ? WHERE type = ?").run(indexes, type);
  }

  /** A document that was stored before its index was declared: when it does not fit, the declaration is at fault. */
  #indexStored(type: number, shape: DocumentTypeShape, row: { id: string; schema: number; data: string }): void {
    try {
      this.#insertIndexes(type, row.id, shape.indexOf(row.data, row.schema));
    } catch (cause) {
      const where = `documents ${shape.type} of ${shape.service}`;
      if (isFailure(cause, "DOCUMENT_REJECTED"))
        throw new Failure("CONFLICT", `${where} cannot be indexed: ${cause.message}`, { cause });
      if (isFailure(cause) || !/UNIQUE/.test(String(cause))) throw cause;
      throw new Failure(
        "CONFLICT",
        `${where}: stored documents share a value of a unique field (${shape.unique.join(", ")}); make them differ first, or declare the field in indexes`,
        { cause },
      );
    }
  }

  #insertIndexes(type: number, id: string, entries: readonly IndexEntry[]): void {
    for (const { field, value, unique } of entries) {
      // Absent values are not unique: as in SQL, any number of documents may lack one.
      if (unique && value !== null) this.#unique.run(type, field, value, id);
      else this.#index.run(type, field, value ?? absent, id);
    }
  }

  #load(type: DocumentType, id: string): StoredDocument | undefined {
    const cached = this.#cached ? type.cache.get(id) : null;
    if (cached !== null) return cached;
    const row = this.#select.get(type.id, id) as [number, number, string] | undefined;
    const document = row === undefined ? undefined : { version: row[0], schema: row[1], text: row[2] };
    if (this.#cached) type.cache.set(id, document);
    return document;
  }

  /** The same type is asked for again and again within a group. */
  #known(service: string, name: string): DocumentType | undefined {
    if (this.#last?.service === service && this.#last.name === name) return this.#last;
    let type = this.#types.get(`${service}/${name}`);
    if (type === undefined && !this.#cached) {
      this.refresh();
      type = this.#types.get(`${service}/${name}`);
    }
    if (type !== undefined) this.#last = type;
    return type;
  }

  #type(at: { readonly service: string; readonly type: string }): DocumentType {
    const type = this.#known(at.service, at.type);
    if (type === undefined)
      throw new Failure("NOT_FOUND", `document type ${at.service}/${at.type} was never declared in this file`);
    return type;
  }
}

/** An absent value: primary keys hold no NULL, and no field of a document is a blob. */
export const absent = new Uint8Array(0);
interface TypeRow {
  readonly type: number;
  readonly service: string;
  readonly name: string;
  readonly indexes: string;
}
