import type { KeptIndexes } from "../store/document-indexes.js";
import { translated } from "./errors.js";
import type { Place, Places } from "./places.js";
import type { PgPool } from "./pool.js";
import { withSession } from "./session.js";

/** A declared type of documents, as its writers need to know it. */
export interface DocumentType {
  /** As mr_document_types has them. */
  readonly indexes: string;
  readonly indexed: boolean;
  /** Some of its indexed fields are unique. */
  readonly unique: boolean;
  /** Which documents a commit changes is remembered. */
  readonly changes: boolean;
}

/** The declared types of services, as this process last read them. */
export class DocumentTypes {
  readonly #pool: PgPool;
  readonly #places: Places;
  readonly #byService = new Map<string, ReadonlyMap<string, DocumentType>>();

  constructor(pool: PgPool, places: Places) {
    this.#pool = pool;
    this.#places = places;
  }

  get(service: string, type: string): DocumentType | undefined {
    return this.#byService.get(service)?.get(type);
  }

  /** Reads the types of a service anew. */
  async refresh(service: string): Promise<void> {
    const place = await this.#places.known(service);
    if (place === undefined) return;
    const rows = await translated(() => withSession(this.#pool, (session) => session.rows(select(place))));
    this.#byService.set(
      service,
      new Map((rows as [string, string][]).map(([name, indexes]) => [name, decodeType(indexes)])),
    );
  }

  /** Reads all that it knows of anew: another process may have declared some of them in another way. */
  async refreshAll(): Promise<void> {
    for (const service of [...this.#byService.keys()]) await this.refresh(service);
  }
}

const select = ({ texts }: Place) => texts.of("types", "SELECT name, indexes FROM $schema.mr_document_types");

function decodeType(indexes: string): DocumentType {
  const kept = JSON.parse(indexes) as Partial<KeptIndexes>;
  const unique = (kept.unique?.length ?? 0) > 0;
  return { indexes, unique, indexed: unique || (kept.indexes?.length ?? 0) > 0, changes: kept.changes === true };
}
