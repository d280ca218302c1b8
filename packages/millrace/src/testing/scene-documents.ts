import { DocumentTypes } from "../consumer/document-types.js";
import { indexEntries } from "../consumer/documents.js";
import { parseStored } from "../consumer/find-documents.js";
import { type DocumentType, documentDeclaration } from "../contract/documents.js";
import type { DocumentQuery } from "../store/document-query.js";
import type { Store, StoredDocument } from "../store/store.js";
import type { DocumentWrite } from "../store/unit.js";

type Kept = DocumentWrite & { readonly text: string; readonly version: number };

/** The documents of one service, in memory: what a handler needs of a store. */
export class SceneDocuments {
  readonly types: DocumentTypes;
  readonly store: Store;
  readonly #documents = new Map<string, Map<string, Kept>>();
  #commits = 0;

  constructor(readonly service: string) {
    const answers: Pick<Store, "readDocument" | "findDocuments" | "ensureDocumentType"> = {
      readDocument: (_, type, id): StoredDocument | undefined => this.#documents.get(type)?.get(id),
      findDocuments: (query) => this.#find(query),
      ensureDocumentType: () => undefined,
    };
    this.store = answers as Store;
    this.types = new DocumentTypes(this.store, service);
  }

  /** @throws {Failure} DOCUMENT_REJECTED when it does not fit its schema. */
  give(type: DocumentType<unknown>, document: unknown): void {
    const declaration = documentDeclaration(type);
    const accepted = declaration.accept(document) as Readonly<Record<string, unknown>>;
    const id = declaration.idOf(accepted);
    const { name, version: schema } = declaration;
    const indexed = indexEntries(declaration, accepted);
    this.commit([{ service: this.service, type: name, id, schema, text: declaration.textOf(accepted), indexed }]);
  }

  get(type: DocumentType<unknown>, id: string): unknown {
    const declaration = documentDeclaration(type);
    const stored = this.#documents.get(declaration.name)?.get(id);
    return stored === undefined ? undefined : parseStored(declaration, stored);
  }

  /** As a commit does; one that is refused is the end of the scene. */
  commit(writes: readonly DocumentWrite[]): void {
    this.#commits += 1;
    for (const write of writes) this.#write(write);
    const taken = writes.map((write) => this.#taken(write)).find((found) => found !== undefined);
    if (taken !== undefined) throw new Error(taken);
  }

  #write(write: DocumentWrite): void {
    const kept = this.#documents.get(write.type) ?? new Map<string, Kept>();
    this.#documents.set(write.type, kept);
    const { text } = write;
    if (text === undefined) kept.delete(write.id);
    else kept.set(write.id, { ...write, text, version: this.#commits });
  }

  #taken({ type, id, text, indexed }: DocumentWrite): string | undefined {
    if (text === undefined) return undefined;
    for (const other of this.#documents.get(type)?.values() ?? [])
      for (const { field, value, unique } of indexed)
        if (unique && value !== null && other.id !== id && indexedBy(other, field) === value)
          return `documents ${type}: ${id} has the ${field} of ${other.id}, ${JSON.stringify(value)}, which is unique; no commit takes both`;
    return undefined;
  }

  #find({ type, where, after, limit }: DocumentQuery): readonly Kept[] {
    const fits = (kept: Kept) =>
      where.every((condition) => "equals" in condition && indexedBy(kept, condition.field) === condition.equals);
    return [...(this.#documents.get(type)?.values() ?? [])]
      .filter((kept) => (after === undefined || kept.id > after.id) && fits(kept))
      .sort((one, other) => (one.id < other.id ? -1 : 1))
      .slice(0, limit);
  }
}

function indexedBy({ indexed }: DocumentWrite, field: string): unknown {
  return indexed.find((entry) => entry.field === field)?.value ?? null;
}
