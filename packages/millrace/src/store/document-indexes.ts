import type { DocumentTypeShape } from "./store.js";

const noIndexes = "{}";

/**
 * A type's indexes as stores keep them. The schema version belongs to them: a migration may change what the
 * fields hold.
 */
export function indexesOf({ indexes, unique, schema, changes = false }: Omit<DocumentTypeShape, "indexOf">): string {
  if (indexes.length === 0 && unique.length === 0 && !changes) return noIndexes;
  const kept: KeptIndexes = { indexes: [...indexes].sort(), unique: [...unique].sort(), schema };
  return JSON.stringify(changes ? { ...kept, changes } : kept);
}

/** The inverse of {@link indexesOf}. */
export interface KeptIndexes {
  readonly indexes: readonly string[];
  readonly unique: readonly string[];
  readonly schema: number;
  readonly changes?: boolean;
}
