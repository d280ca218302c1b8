import type { DocumentDeclaration, DocumentType } from "../contract/documents.js";
import { Failure } from "../failure/failure.js";
import type { DocumentTypeShape, Store, StoredDocument } from "../store/store.js";
import type { DocumentRead, DocumentWrite, Effects, IndexEntry } from "../store/unit.js";

/** What a handler's documents need of its context. */
interface Collecting {
  readonly effects: Effects;
  read(read: DocumentRead): void;
  assertOpen(what: string): void;
}
interface DocumentHost {
  readonly service: string;
  readonly store: Store;
  ensureDocuments(type: DocumentType<unknown>): void | Promise<void>;
}

type Doc = Readonly<Record<string, unknown>>;

/** A service's documents of one type, as one run sees them: committed state, and its own writes on top. */
export class HandlerDocuments {
  readonly #context: Collecting;
  readonly #host: DocumentHost;
  readonly #declaration: DocumentDeclaration;
  readonly #type: DocumentType<unknown>;

  constructor(context: Collecting, host: DocumentHost, declaration: DocumentDeclaration, type: DocumentType<unknown>) {
    this.#context = context;
    this.#host = host;
    this.#declaration = declaration;
    this.#type = type;
  }

  /** Answers at once where the store does; only a remote one is awaited. */
  get(id: string): Promise<unknown> {
    try {
      this.#context.assertOpen("documents.get");
      const own = this.#written(id);
      if (own !== undefined) return Promise.resolve(own.text === undefined ? undefined : JSON.parse(own.text));
      const answer = this.#host.store.readDocument(this.#host.service, this.#declaration.name, id);
      if (answer instanceof Promise) return answer.then((stored) => this.#read(id, stored));
      return Promise.resolve(this.#read(id, answer));
    } catch (error) {
      return Promise.reject(error);
    }
  }

  #read(id: string, stored: StoredDocument | undefined): unknown {
    this.#context.read({
      service: this.#host.service,
      type: this.#declaration.name,
      id,
      version: stored?.version ?? 0,
    });
    return stored === undefined ? undefined : parseStored(this.#declaration, stored);
  }

  put(document: Doc): void {
    this.#context.assertOpen("documents.put");
    const declaration = this.#declaration;
    const accepted = declaration.accept(document) as Doc;
    const text = declaration.textOf(accepted);
    this.#write({
      service: this.#host.service,
      type: declaration.name,
      id: declaration.idOf(accepted),
      schema: declaration.version,
      text,
      indexed: indexEntries(declaration, accepted),
    });
  }

  delete(id: string): void {
    this.#context.assertOpen("documents.delete");
    const { name, version } = this.#declaration;
    this.#write({ service: this.#host.service, type: name, id, schema: version, text: undefined, indexed: [] });
  }

  async find(where: Doc, options: FindOptions = {}): Promise<readonly unknown[]> {
    this.#context.assertOpen("documents.find");
    await this.#host.ensureDocuments(this.#type);
    return findDocuments(this.#host.store, this.#host.service, this.#declaration, where, options);
  }

  #written(id: string): DocumentWrite | undefined {
    return this.#context.effects.documents?.find((write) => write.type === this.#declaration.name && write.id === id);
  }

  #write(write: DocumentWrite): void {
    // A type's first write declares it; before that no document of it can be stored, so reads need not wait for it.
    void this.#host.ensureDocuments(this.#type);
    const { effects } = this.#context;
    if (effects.documents === undefined) {
      effects.documents = [write];
      return;
    }
    const at = effects.documents.findIndex((other) => other.type === write.type && other.id === write.id);
    if (at < 0) effects.documents.push(write);
    else effects.documents[at] = write;
  }
}

export interface FindOptions {
  readonly limit?: number;
  readonly after?: string;
}

/** A stored document as one of today. */
export function parseStored(declaration: DocumentDeclaration, stored: StoredDocument): unknown {
  return declaration.parse(JSON.parse(stored.text), stored.schema);
}

/** A document type as a service's store has to know it. */
export function documentTypeShape(declaration: DocumentDeclaration, service: string): DocumentTypeShape {
  const { name, indexes, unique, version } = declaration;
  return {
    service,
    type: name,
    indexes,
    unique,
    schema: version,
    indexOf: (text, schema) => indexEntries(declaration, parseStored(declaration, { version: 0, schema, text }) as Doc),
  };
}

/** The values a document has in its declared indexes. */
export function indexEntries(
  declaration: Pick<DocumentDeclaration, "indexes" | "unique">,
  document: Doc,
): readonly IndexEntry[] {
  if (declaration.indexes.length === 0 && declaration.unique.length === 0) return none;
  return [
    ...declaration.indexes.map((field) => ({ field, value: indexValue(document[field]), unique: false })),
    ...declaration.unique.map((field) => ({ field, value: indexValue(document[field]), unique: true })),
  ];
}

/** Committed documents that match, in id order: one index finds candidates, the other conditions are checked on them. */
export async function findDocuments(
  store: Store,
  service: string,
  declaration: DocumentDeclaration,
  where: Doc,
  options: FindOptions,
): Promise<readonly unknown[]> {
  const { limit = 100 } = options;
  const conditions = Object.entries(where).filter(([, value]) => value !== undefined);
  const indexed = conditions.find(
    ([field]) => declaration.unique.includes(field) || declaration.indexes.includes(field),
  );
  if (indexed === undefined)
    throw new Failure(
      "INDEX_MISSING",
      `${declaration.name}: find({ ${conditions.map(([field]) => field).join(", ")} }) has no index; declare one of the fields in indexes`,
    );
  const [field, value] = indexed;
  const found: unknown[] = [];
  for (let after = options.after; found.length < limit; ) {
    const page = await store.findDocuments({
      service,
      type: declaration.name,
      field,
      value: indexValue(value),
      after,
      limit,
    });
    for (const stored of page) {
      const document = parseStored(declaration, stored) as Doc;
      if (conditions.every(([name, wanted]) => indexValue(document[name]) === indexValue(wanted))) found.push(document);
      if (found.length === limit) break;
    }
    if (page.length < limit) break;
    after = page.at(-1)?.id;
  }
  return found;
}

/** What an index can hold: text, numbers, booleans as 0 and 1; anything else as its JSON. */
function indexValue(value: unknown): string | number | null {
  if (value === undefined || value === null) return null;
  if (typeof value === "string" || typeof value === "number") return value;
  if (typeof value === "boolean") return value ? 1 : 0;
  return JSON.stringify(value);
}

const none: readonly IndexEntry[] = [];
