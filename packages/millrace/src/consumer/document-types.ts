import { type DocumentType, documentDeclaration } from "../contract/documents.js";
import type { Store } from "../store/store.js";
import { documentTypeShape } from "./documents.js";

/** Declares a document type to the store at its first use by a service. */
export function declaresDocuments(
  store: Store,
  service: string,
): (type: DocumentType<unknown>) => void | Promise<void> {
  const declared = new Map<DocumentType<unknown>, void | Promise<void>>();
  return (type) => {
    if (declared.has(type)) return declared.get(type);
    const done = store.ensureDocumentType(documentTypeShape(documentDeclaration(type), service));
    declared.set(type, done);
    // What could not be declared is tried again by the next run.
    if (done instanceof Promise) done.catch(() => declared.delete(type));
    return done;
  };
}
