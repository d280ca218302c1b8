import { Failure } from "../failure/failure.js";
import { checkOptions, type OptionNames } from "../runtime/options.js";
import type { meta } from "./contract.js";
import { hasProperty } from "./json-schema.js";
import { keyText, requireKey } from "./key.js";
import { checkShape, toJson } from "./limits.js";
import { checkKebabName, checkVersion } from "./names.js";
import { type CompiledSchema, compileSchema, type Out, type StandardSchema } from "./schema.js";

/** A declared kind of document: the state of a service, one document an id. */
export interface DocumentType<Doc> {
  readonly name: string;
  readonly [meta]: Doc;
}

/** How a kind of document is declared. */
export interface DocumentOptions<Doc> {
  /** The field that is the id. */
  readonly id: keyof Doc & string;
  /** Grows by one with every change that old documents do not fit; by default 1. */
  readonly version?: number;
  /** Makes a document of today from one of an older version. Required from version 2 on. */
  readonly migrate?: (old: unknown, fromVersion: number) => Doc;
  /** The fields that `find` may ask for. */
  readonly indexes?: readonly (keyof Doc & string)[];
  /** Fields of which no two documents may have the same value; `find` may ask for them too. */
  readonly unique?: readonly (keyof Doc & string)[];
}

/** What Millrace knows about a kind of document. */
export interface DocumentDeclaration {
  readonly name: string;
  readonly idField: string;
  readonly version: number;
  readonly migrate: ((old: unknown, fromVersion: number) => unknown) | undefined;
  readonly indexes: readonly string[];
  readonly unique: readonly string[];
  /** Which documents a commit changed is remembered for a while. */
  readonly changes: boolean;
  /** No migration changes what is indexed: what is stored is indexed as it is. */
  readonly indexedAsStored?: boolean;
  /**
   * A document as it is to be stored, with what the schema fills in, trims or drops. Checked.
   *
   * @throws {Failure} DOCUMENT_REJECTED with path and reason; PAYLOAD_LIMIT.
   */
  accept(doc: unknown): unknown;
  /**
   * JSON text of an accepted document.
   *
   * @throws {Failure} DOCUMENT_REJECTED when JSON cannot hold it; PAYLOAD_LIMIT when the text is too large.
   */
  textOf(accepted: unknown): string;
  /**
   * The id of an accepted document, as text.
   *
   * @throws {Failure} DOCUMENT_REJECTED
   */
  idOf(doc: unknown): string;
  /**
   * A stored value as a document of today: migrated and checked when it is of an older version, else as it was stored.
   *
   * @throws {Failure} DOCUMENT_NEWER when a newer program stored it; DOCUMENT_REJECTED when its migration fails.
   */
  parse(value: unknown, storedVersion: number): unknown;
}

const optionNames: OptionNames<DocumentOptions<unknown>> = {
  id: true,
  version: true,
  migrate: true,
  indexes: true,
  unique: true,
};

/** Where a document type keeps its declaration. */
const declared = Symbol("millrace documents");

/**
 * Declares a kind of document.
 *
 * @throws {Failure} CONTRACT_INVALID when a name, field or version is wrong or the schema holds what JSON cannot.
 * @example
 * ```ts
 * import { documents } from "millrace";
 * import { z } from "zod";
 *
 * export const accounts = documents("accounts", z.object({ customerId: z.string(), limitPence: z.int() }), { id: "customerId" });
 * ```
 */
export function documents<S extends StandardSchema>(
  name: string,
  schema: S,
  options: DocumentOptions<Out<S>>,
): DocumentType<Out<S>> {
  checkKebabName(name, "documents");
  checkOptions<DocumentOptions<unknown>>(options as never, optionNames, {
    where: `documents ${name}`,
    code: "CONTRACT_INVALID",
  });
  const version = options.version ?? 1;
  const where = `documents ${name} v${version}`;
  checkVersion(version, `documents ${name}`);
  const compiled = compileSchema(schema, where);
  const { indexes = [], unique = [], migrate } = options;
  requireKey(compiled.jsonSchema, options.id, where);
  checkIndexes(compiled, [...indexes, ...unique], where);
  if (version > 1 && migrate === undefined)
    throw invalid(`${where}: documents of older versions may exist; give a migrate function`);
  const declaration = declare(
    { name, idField: options.id, version, migrate, indexes: [...indexes], unique: [...unique], changes: false },
    compiled,
  );
  return typeOf(declaration) as DocumentType<Out<S>>;
}

function typeOf(declaration: DocumentDeclaration): DocumentType<unknown> {
  const { name } = declaration;
  return Object.freeze(
    Object.defineProperty({ name }, declared, { value: declaration }),
  ) as unknown as DocumentType<unknown>;
}

/** The rows of a view, before it is said which build of it they are. */
export interface RowSchema {
  readonly jsonSchema: Readonly<Record<string, unknown>>;
  /** The type of one build's rows. Its name, like `order-summary@2`, is none that `documents()` takes. */
  rows(name: string): DocumentType<unknown>;
}

/**
 * Rows as documents: they have no id field, whoever stores one says under which id.
 *
 * @throws {Failure} CONTRACT_INVALID when a field that is to be indexed is missing, or the schema holds what JSON cannot.
 */
export function rowSchema(
  schema: StandardSchema,
  {
    where,
    version,
    indexes,
  }: { readonly where: string; readonly version: number; readonly indexes: readonly string[] },
): RowSchema {
  const compiled = compileSchema(schema, where);
  checkIndexes(compiled, indexes, where);
  const facts = { idField: "", version, migrate: undefined, indexes: [...indexes], unique: [], changes: true };
  return {
    jsonSchema: compiled.jsonSchema,
    rows: (name) => typeOf(declare({ ...facts, name }, compiled)),
  };
}

function checkIndexes({ jsonSchema }: CompiledSchema, fields: readonly string[], where: string): void {
  for (const field of fields)
    if (!hasProperty(jsonSchema, field))
      throw invalid(`${where}: its schema has no field ${JSON.stringify(field)} to index`);
}

/**
 * Declares a kind of document that Millrace makes itself: stored as it is, under a name that no user's type can have.
 */
export function ownDocuments<Doc>(
  name: string,
  options: DocumentOptions<Doc> & Pick<DocumentDeclaration, "indexedAsStored">,
): DocumentType<Doc> {
  const { indexes = [], unique = [], id, version = 1, migrate, indexedAsStored = false } = options;
  const fields = { indexes: [...indexes], unique: [...unique], indexedAsStored };
  const facts = { name, idField: id, version, migrate, ...fields, changes: false };
  const asItIs: CompiledSchema = {
    jsonSchema: {},
    validate: (value) => ({ ok: true, value }),
    check: () => undefined,
  };
  const declaration = declare(facts, asItIs);
  return Object.freeze(
    Object.defineProperty({ name }, declared, { value: declaration }),
  ) as unknown as DocumentType<Doc>;
}

type Facts = Omit<DocumentDeclaration, "accept" | "textOf" | "idOf" | "parse">;

function declare(facts: Facts, schema: CompiledSchema): DocumentDeclaration {
  const where = `documents ${facts.name} v${facts.version}`;
  const rejected = (path: string, reason: string, cause?: unknown): Failure =>
    new Failure("DOCUMENT_REJECTED", `${where}: ${path} ${reason}`, {
      cause,
      details: { documents: facts.name, path },
    });
  const validated = (doc: unknown): unknown => {
    const result = schema.validate(doc);
    if (result.ok) return result.value;
    throw rejected(result.path, result.reason);
  };
  return Object.freeze({
    ...facts,
    accept(doc: unknown) {
      checkShape(doc, where);
      return validated(doc);
    },
    textOf(accepted: unknown) {
      const text = toJson(accepted, where);
      if (text === undefined) throw rejected("/", "cannot be written as JSON");
      return text;
    },
    idOf(doc: unknown) {
      const result = keyText((doc as Readonly<Record<string, unknown>> | null | undefined)?.[facts.idField]);
      if (result.ok) return result.key;
      throw rejected(`/${facts.idField}`, result.reason);
    },
    parse(value: unknown, storedVersion: number) {
      if (storedVersion === facts.version) return value;
      if (storedVersion > facts.version || facts.migrate === undefined) {
        throw new Failure(
          "DOCUMENT_NEWER",
          `${where}: a stored document has version ${storedVersion}; start the newer program again, or deploy it here`,
        );
      }
      return validated(migrated(facts.migrate, value, storedVersion));
    },
  });

  function migrated(migrate: NonNullable<Facts["migrate"]>, value: unknown, from: number): unknown {
    try {
      return migrate(value, from);
    } catch (cause) {
      throw rejected("/", `could not be migrated from version ${from}; mend the migrate function`, cause);
    }
  }
}

/**
 * The declaration behind a document type.
 *
 * @throws {Failure} CONTRACT_UNKNOWN when `documents()` did not make it.
 */
export function documentDeclaration(of: DocumentType<unknown>): DocumentDeclaration {
  const found = (of as { readonly [declared]?: DocumentDeclaration })[declared];
  if (found !== undefined) return found;
  throw new Failure("CONTRACT_UNKNOWN", "this value was not made by documents(); pass on what it returns, uncopied");
}

function invalid(message: string): Failure {
  return new Failure("CONTRACT_INVALID", message);
}
