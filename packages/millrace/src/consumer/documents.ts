import type { DocumentDeclaration, DocumentType } from "../contract/documents.js";
import { Failure } from "../failure/failure.js";
import type { Awaitable } from "../log/log.js";
import type { DocumentTypeShape, Store, StoredDocument } from "../store/store.js";
import type { DocumentRead, DocumentWrite, Effects, IndexEntry } from "../store/unit.js";
import { blameEvent } from "./blame.js";
import type { DocumentTypes } from "./document-types.js";
import { type FindOptions, findConditions, findDocuments, indexValue, parseStored } from "./find-documents.js";

/** What a handler's documents need of its context. */
interface Collecting {
  readonly effects: Effects;
  read(read: DocumentRead): void;
  declare(answer: Promise<void>): void;
  assertOpen(what: string): void;
}
interface DocumentHost {
  readonly service: string;
  readonly store: Store;
  readonly documentTypes: DocumentTypes;
}

type Doc = Readonly<Record<string, unknown>>;

/** A service's documents of one type, as one run sees them: committed state, and its own writes on top. */
export class HandlerDocuments {
  readonly #context: Collecting;
  readonly #host: DocumentHost;
  readonly #declaration: DocumentDeclaration;
  readonly #type: DocumentType<unknown>;
  /** Characters of the documents that were read. */
  charactersRead = 0;
  /** Index values of the documents that were read. */
  #indexed: Map<string, readonly IndexEntry[]> | undefined;

  constructor(context: Collecting, host: DocumentHost, declaration: DocumentDeclaration, type: DocumentType<unknown>) {
    this.#context = context;
    this.#host = host;
    this.#declaration = declaration;
    this.#type = type;
  }

  get(id: string): Promise<unknown> {
    try {
      return Promise.resolve(this.read(id));
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** Answers at once where the store does; only a remote one is awaited. */
  read(id: string): Awaitable<unknown> {
    this.#context.assertOpen("documents.get");
    blameEvent(() => checkDocumentId(this.#declaration, id));
    const own = this.#written(id);
    if (own !== undefined) return own.text === undefined ? undefined : JSON.parse(own.text);
    const answer = this.#host.store.readDocument(this.#host.service, this.#declaration.name, id);
    if (answer instanceof Promise) return answer.then((stored) => this.#read(id, stored));
    return this.#read(id, answer);
  }

  #read(id: string, stored: StoredDocument | undefined): unknown {
    this.#context.read({
      service: this.#host.service,
      type: this.#declaration.name,
      id,
      version: stored?.version ?? 0,
    });
    if (stored === undefined) return undefined;
    this.charactersRead += stored.text.length;
    const document = parseStored(this.#declaration, stored) as Doc;
    const { indexes, unique } = this.#declaration;
    // Taken now: a handler may change what it was given.
    if (indexes.length + unique.length > 0) {
      this.#indexed ??= new Map();
      this.#indexed.set(id, indexEntries(this.#declaration, document));
    }
    return document;
  }

  put(document: Doc): void {
    this.#context.assertOpen("documents.put");
    const declaration = this.#declaration;
    const accepted = declaration.accept(document) as Doc;
    this.#write(this.#writeOf(declaration.idOf(accepted), accepted));
  }

  /** Creates or replaces the document of an id that this run has not written, with one that was accepted before. */
  store(id: string, accepted: Doc): void {
    this.#add(this.#writeOf(id, accepted));
  }

  #writeOf(id: string, accepted: Doc): DocumentWrite {
    const declaration = this.#declaration;
    const text = declaration.textOf(accepted);
    const indexed = indexEntries(declaration, accepted);
    const before = this.#indexed?.get(id);
    const alike = before?.every(({ value }, at) => value === indexed[at]?.value) === true;
    const write = {
      service: this.#host.service,
      type: declaration.name,
      id,
      schema: declaration.version,
      text,
      indexed,
    };
    return alike ? { ...write, indexedAlike: true } : write;
  }

  delete(id: string): void {
    this.#context.assertOpen("documents.delete");
    blameEvent(() => checkDocumentId(this.#declaration, id));
    const { name, version } = this.#declaration;
    this.#write({ service: this.#host.service, type: name, id, schema: version, text: undefined, indexed: [] });
  }

  async find(where: Doc, options: FindOptions = {}): Promise<readonly unknown[]> {
    this.#context.assertOpen("documents.find");
    const conditions = blameEvent(() => findConditions(this.#declaration, where));
    await this.#host.documentTypes.ensure(this.#type);
    return findDocuments(this.#host.store, this.#host.service, conditions, options);
  }

  #written(id: string): DocumentWrite | undefined {
    const { documents } = this.#context.effects;
    return documents === undefined ? undefined : documents[placeOf(documents, this.#declaration.name, id)];
  }

  #write(write: DocumentWrite): void {
    const { documents = [] } = this.#context.effects;
    const at = placeOf(documents, write.type, write.id);
    if (at >= 0) documents[at] = write;
    else this.#add(write);
  }

  #add(write: DocumentWrite): void {
    // A type's first write declares it; before that no document of it can be stored, so reads need not wait for it.
    const answer = this.#host.documentTypes.ensure(this.#type);
    if (answer !== undefined) this.#context.declare(answer);
    this.#context.effects.documents ??= [];
    this.#context.effects.documents.push(write);
  }
}

/** So few that looking through them is faster than anything else. */
const fewDocuments = 16;
/** Where each document stands in long lists of them. */
const places = new WeakMap<readonly DocumentWrite[], Map<string, number>>();

/** Where a run's write of a document stands among its writes; -1 when there is none. */
function placeOf(documents: readonly DocumentWrite[], type: string, id: string): number {
  if (documents.length <= fewDocuments) return documents.findIndex((write) => write.type === type && write.id === id);
  let known = places.get(documents);
  if (known === undefined) {
    known = new Map();
    places.set(documents, known);
  }
  for (let at = known.size; at < documents.length; at += 1) {
    const write = documents[at] as DocumentWrite;
    known.set(`${write.type}/${write.id}`, at);
  }
  return known.get(`${type}/${id}`) ?? -1;
}

/** A document type as a service's store has to know it. */
export function documentTypeShape(declaration: DocumentDeclaration, service: string): DocumentTypeShape {
  const { name, indexes, unique, version, changes, indexedAsStored = false } = declaration;
  const parsed = (text: string, schema: number) =>
    (indexedAsStored ? JSON.parse(text) : parseStored(declaration, { version: 0, schema, text })) as Doc;
  return {
    service,
    type: name,
    indexes,
    unique,
    schema: indexedAsStored ? 1 : version,
    ...(changes ? { changes } : {}),
    indexOf: (text, schema) => indexEntries(declaration, parsed(text, schema)),
  };
}

/** The values a document has in its declared indexes. */
export function indexEntries(
  declaration: Pick<DocumentDeclaration, "indexes" | "unique">,
  document: Doc,
): readonly IndexEntry[] {
  if (declaration.indexes.length === 0 && declaration.unique.length === 0) return none;
  const entries: IndexEntry[] = [];
  for (const field of declaration.indexes) entries.push({ field, value: indexValue(document[field]), unique: false });
  for (const field of declaration.unique) entries.push({ field, value: indexValue(document[field]), unique: true });
  return entries;
}

/**
 * Refuses an id that is no text, like one that was to be in the data and is not.
 *
 * @throws {Failure} OPTION_INVALID
 */
export function checkDocumentId({ name }: Pick<DocumentDeclaration, "name">, id: unknown): void {
  if (typeof id === "string") return;
  throw new Failure("OPTION_INVALID", `${name}: an id is text, not ${idKind(id)}; give the document's id as a string`);
}

function idKind(id: unknown): string {
  return id === null ? "null" : typeof id;
}

const none: readonly IndexEntry[] = [];
