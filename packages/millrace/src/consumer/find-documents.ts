import type { DocumentDeclaration } from "../contract/documents.js";
import { Failure } from "../failure/failure.js";
import { checkFields, checkOptions, shown } from "../runtime/options.js";
import type { FieldCondition, IndexValue } from "../store/document-query.js";
import type { Store, StoredDocument } from "../store/store.js";

type Doc = Readonly<Record<string, unknown>>;

/** How a find pages. */
export interface FindOptions {
  readonly limit?: number;
  readonly after?: string;
}

/** A stored document as one of today. */
export function parseStored(declaration: DocumentDeclaration, stored: StoredDocument): unknown {
  return declaration.parse(JSON.parse(stored.text), stored.schema);
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
  const at = `documents ${name}: find`;
  checkFields(where, at, '{ status: "open" }');
  const all = Object.entries(where);
  const indexed = all
    .filter(([field]) => unique.includes(field) || indexes.includes(field))
    .map(([field, value]) => ({ field, equals: wantedValue(value, `${at}({ ${field} })`) }));
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

/**
 * The value that a condition asks for, as an index has it.
 *
 * @throws {Failure} OPTION_INVALID when no document can have it.
 */
export function wantedValue(value: unknown, where: string): IndexValue {
  if (typeof value === "bigint" || typeof value === "symbol" || typeof value === "function")
    throw new Failure(
      "OPTION_INVALID",
      `${where} is ${shown(value)}, which no document holds; ask for a number or text`,
    );
  try {
    return indexValue(value);
  } catch (cause) {
    throw new Failure("OPTION_INVALID", `${where} is a value that cannot be written as JSON, so no document holds it`, {
      cause,
    });
  }
}

/** What an index can hold: text, numbers, booleans as 0 and 1; anything else as its JSON. */
export function indexValue(value: unknown): IndexValue {
  if (value === undefined || value === null) return null;
  if (typeof value === "string" || typeof value === "number") return value;
  if (typeof value === "boolean") return value ? 1 : 0;
  return JSON.stringify(value);
}
