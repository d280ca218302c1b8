import type { StoredDocument } from "../store/store.js";

const cacheBytesMax = 8 * 1024 * 1024;
/** Undefined: it is known that there is no such document. */
export type Cached = StoredDocument | undefined;

/** Documents seen lately, in two generations: what is not read while one fills is dropped with the other. */
export class DocumentCache {
  #young = new Map<string, Cached>();
  #old = new Map<string, Cached>();
  #bytes = 0;

  get(id: string): Cached | null {
    const young = this.#young.get(id);
    if (young !== undefined || this.#young.has(id)) return young;
    const old = this.#old.get(id);
    if (old === undefined && !this.#old.has(id)) return null;
    this.set(id, old);
    return old;
  }

  set(id: string, document: Cached): void {
    this.#young.set(id, document);
    this.#bytes += id.length + 64 + (document?.text.length ?? 0);
    if (this.#bytes > cacheBytesMax / 2) {
      this.#old = this.#young;
      this.#young = new Map();
      this.#bytes = 0;
    }
  }
}
