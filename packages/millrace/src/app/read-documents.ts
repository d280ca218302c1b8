import { checkDocumentId, documentTypeShape } from "../consumer/documents.js";
import { type FindOptions, findConditions, findDocuments, parseStored } from "../consumer/find-documents.js";
import { type DocumentType, documentDeclaration } from "../contract/documents.js";
import { Failure } from "../failure/failure.js";
import type { ServiceDeclaration } from "../service/service.js";
import type { Store } from "../store/store.js";
import type { ReadDocuments } from "./app.js";

/** A service's documents seen from outside its handlers. Without a service named, the one that stored the type is meant. */
export function readDocuments<Doc>(
  store: Store,
  services: readonly ServiceDeclaration[],
  type: DocumentType<Doc>,
  service: string | undefined,
): ReadDocuments<Doc> {
  const declaration = documentDeclaration(type);
  const owner = () => ownerOf(store, { services, name: declaration.name, service });
  return {
    async get(id) {
      checkDocumentId(declaration, id);
      const name = await owner();
      const stored = name === undefined ? undefined : await store.readDocument(name, declaration.name, id);
      return stored === undefined ? undefined : (parseStored(declaration, stored) as Doc);
    },
    async find(where, options: FindOptions = {}) {
      const conditions = findConditions(declaration, where as Readonly<Record<string, unknown>>);
      const name = await owner();
      if (name === undefined) return [];
      // An index that is new in this program is built before it answers.
      if ((await store.documentServices(declaration.name)).includes(name))
        await store.ensureDocumentType(documentTypeShape(declaration, name));
      return (await findDocuments(store, name, conditions, options)) as readonly Doc[];
    },
  };
}

interface Sought {
  readonly services: readonly ServiceDeclaration[];
  readonly name: string;
  readonly service: string | undefined;
}

/** Whose documents are meant; undefined when nobody has stored any yet. */
async function ownerOf(store: Store, { services, name, service }: Sought): Promise<string | undefined> {
  const owners = await store.documentServices(name);
  const declared = services.map((one) => one.name);
  if (service !== undefined) {
    if (declared.includes(service) || owners.includes(service)) return service;
    throw new Failure(
      "OPTION_INVALID",
      `documents ${name}: there is no service ${service} in this app${listed(declared)}`,
    );
  }
  const known = owners.filter((owner) => declared.includes(owner));
  if (known.length > 1)
    throw new Failure(
      "OPTION_INVALID",
      `documents ${name} exist in ${known.join(" and ")}; say which: app.documents(type, { service })`,
    );
  if (known.length === 0 && owners.length > 0)
    throw new Failure(
      "OPTION_INVALID",
      `documents ${name} are kept by ${owners.join(" and ")}, not by a service of this app${listed(declared)}; add it, or read them all the same with app.documents(type, { service })`,
    );
  return known[0];
}

const listed = (names: readonly string[]) => (names.length === 0 ? "" : ` (${names.join(", ")})`);
