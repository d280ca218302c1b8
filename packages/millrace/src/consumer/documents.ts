import type { DocumentDeclaration, DocumentType } from "../contract/documents.js";
import { Failure } from "../failure/failure.js";
import type { Awaitable } from "../log/log.js";
import { checkOptions } from "../runtime/options.js";
import type { FieldCondition, IndexValue } from "../store/document-query.js";
import type { DocumentTypeShape, Store, StoredDocument } from "../store/store.js";
import type { DocumentRead, DocumentWrite, Effects, IndexEntry } from "../store/unit.js";
import { blameEvent } from "./blame.js";
import type { DocumentTypes } from "./document-types.js";

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
    this.store(declaration.idOf(accepted), accepted);
  }

  /** Creates or replaces the document of an id with one that was accepted before. */
  store(id: string, accepted: Doc): void {
    const declaration = this.#declaration;
    const text = declaration.textOf(accepted);
    const indexed = indexEntries(declaration, accepted);
    const before = this.#indexed?.get(id);
    const alike = before?.every(({ value }, at) => value === indexed[at]?.value) === true;
    this.#write({
      service: this.#host.service,
      type: declaration.name,
      id,
      schema: declaration.version,
      text,
      indexed,
      ...(alike ? { indexedAlike: true } : {}),
    });
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
    // A type's first write declares it; before that no document of it can be stored, so reads need not wait for it.
    const answer = this.#host.documentTypes.ensure(this.#type);
    if (answer !== undefined) this.#context.declare(answer);
    const { effects } = this.#context;
    if (effects.documents === undefined) {
      effects.documents = [write];
      return;
    }
    const { documents } = effects;
    const at = placeOf(documents, write.type, write.id);
    if (at >= 0) documents[at] = write;
    else {
      documents.push(write);
      places.get(documents)?.set(`${write.type}/${write.id}`, documents.length - 1);
    }
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
    known = new Map(documents.map((write, at) => [`${write.type}/${write.id}`, at]));
    places.set(documents, known);
  }
  return known.get(`${type}/${id}`) ?? -1;
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
  const { name, indexes, unique, version, changes } = declaration;
  return {
    service,
    type: name,
    indexes,
    unique,
    schema: version,
    ...(changes ? { changes } : {}),
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

/** What a find asks for, checked: the conditions that indexes answer, and all of them. */
export interface FindConditions {
  readonly declaration: DocumentDeclaration;
  readonly indexed: readonly FieldCondition[];
  readonly all: readonly (readonly [field: string, value: unknown])[];
}

/**
 * The conditions of a find. One without a value is never dropped: the answer would hold what nobody asked for.
 *
 * @throws {Failure} INDEX_MISSING when no field has an index; OPTION_INVALID when a condition is undefined.
 */
export function findConditions(declaration: DocumentDeclaration, where: Doc): FindConditions {
  const { name, indexes, unique } = declaration;
  const all = Object.entries(where);
  const indexed = all
    .filter(([field]) => unique.includes(field) || indexes.includes(field))
    .map(([field, value]) => ({ field, equals: indexValue(value) }));
  if (indexed.length === 0)
    throw new Failure(
      "INDEX_MISSING",
      `${name}: find({ ${all.map(([field]) => field).join(", ")} }) has no index; declare one of the fields in indexes`,
    );
  const empty = all.find(([, value]) => value === undefined);
  if (empty !== undefined)
    throw new Failure(
      "OPTION_INVALID",
      `${name}: find({ ${empty[0]} }) is undefined; leave the condition out, or write null for documents without a value`,
    );
  return { declaration, indexed, all };
}

/**
 * How many a find may answer with.
 *
 * @throws {Failure} OPTION_INVALID when it is no whole number from 1 on: an answer that is empty would mean something else.
 */
export function checkedLimit(limit: unknown, where: string): number {
  if (typeof limit === "number" && Number.isSafeInteger(limit) && limit > 0) return limit;
  throw new Failure("OPTION_INVALID", `${where}: limit is ${String(limit)}; write a whole number from 1 on`, {
    details: { option: "limit" },
  });
}

/** Committed documents that match, in id order: indexes find candidates, the other conditions are checked on them. */
export async function findDocuments(
  store: Store,
  service: string,
  conditions: FindConditions,
  options: FindOptions,
): Promise<readonly unknown[]> {
  const { declaration, indexed, all } = conditions;
  const where = `documents ${declaration.name}: find`;
  checkOptions(options, { limit: true, after: true }, { where });
  const limit = checkedLimit(options.limit ?? 100, where);
  const found: unknown[] = [];
  for (let after = options.after; found.length < limit; ) {
    const page = await store.findDocuments({
      service,
      type: declaration.name,
      where: indexed,
      after: after === undefined ? undefined : { value: null, id: after },
      limit,
    });
    for (const stored of page) {
      const document = parseStored(declaration, stored) as Doc;
      if (all.every(([name, wanted]) => indexValue(document[name]) === indexValue(wanted))) found.push(document);
      if (found.length === limit) break;
    }
    if (page.length < limit) break;
    after = page.at(-1)?.id;
  }
  return found;
}

/** What an index can hold: text, numbers, booleans as 0 and 1; anything else as its JSON. */
export function indexValue(value: unknown): IndexValue {
  if (value === undefined || value === null) return null;
  if (typeof value === "string" || typeof value === "number") return value;
  if (typeof value === "boolean") return value ? 1 : 0;
  return JSON.stringify(value);
}

const none: readonly IndexEntry[] = [];
