import { type DocumentType, documentDeclaration } from "../contract/documents.js";
import type { Store } from "../store/store.js";
import { documentTypeShape } from "./documents.js";

/** The document types of one service, each declared to the store once, when it is first used. */
export class DocumentTypes {
  readonly #store: Store;
  readonly #service: string;
  readonly #ensured = new Map<DocumentType<unknown>, Promise<void> | undefined>();

  constructor(store: Store, service: string) {
    this.#store = store;
    this.#service = service;
  }

  /** Answers at once when the store does, or knows the type. One that could not be declared is declared again. */
  ensure(type: DocumentType<unknown>): undefined | Promise<void> {
    if (this.#ensured.has(type)) return this.#ensured.get(type);
    const answer = this.#store.ensureDocumentType(documentTypeShape(documentDeclaration(type), this.#service));
    const ensuring = answer instanceof Promise ? answer : undefined;
    this.#ensured.set(type, ensuring);
    ensuring?.then(
      () => this.#ensured.set(type, undefined),
      () => this.#ensured.delete(type),
    );
    return ensuring;
  }
}
