import { type BatchHandler, BatchRefused } from "../consumer/batch.js";
import type { HandlerDocuments } from "../consumer/documents.js";
import type { Context } from "../consumer/handler.js";
import type { ViewRows } from "../consumer/view.js";
import type { AnyEvent, Received } from "../contract/contract.js";
import { type DocumentType, documentDeclaration } from "../contract/documents.js";
import { keyText } from "../contract/key.js";
import { Failure } from "../failure/failure.js";

type Row = Readonly<Record<string, unknown>>;
type AnyReceived = Received<string, unknown>;

/** One event of a projection, with the types forgotten. */
export interface Folding {
  readonly event: AnyEvent;
  readonly fold: (row: Row | undefined, event: AnyReceived) => Row | undefined;
  readonly key: ((event: AnyReceived) => string | readonly string[]) | undefined;
}

interface Entry {
  row: Row | undefined;
  readonly stored: boolean;
}

/** How rows of a type are made; the type says what they must be like, whatever it is named. */
export function viewRows(type: DocumentType<unknown>, folds: ReadonlyMap<string, Folding>): ViewRows {
  const declaration = documentDeclaration(type);
  return {
    ids: (event) => rowIds(folds.get(event.type) as Folding, event),
    next(row, event) {
      const { fold } = folds.get(event.type) as Folding;
      const next = fold(row as Row | undefined, event);
      // A row without required fields would take a promise for an empty one.
      if (typeof (next as { readonly then?: unknown } | undefined)?.then === "function")
        throw new Failure(
          "DOCUMENT_REJECTED",
          `${declaration.name}: the fold of ${event.type} returned a promise; it returns the row, synchronously`,
        );
      return next === undefined ? undefined : declaration.accept(next);
    },
  };
}

/**
 * Folds events into documents of a type. A row is read once and written once, however many of the events it is for.
 *
 * @throws {BatchRefused} with DOCUMENT_REJECTED, EVENT_REJECTED, or what the fold threw.
 */
export function foldInto(type: DocumentType<unknown>, rows: ViewRows): BatchHandler {
  return async (events, ctx) => {
    const documents = rowsOf(ctx, type);
    const entries = new Map<string, Entry>();
    for (const [at, event] of events.entries()) {
      for (const id of blamed(at, () => rows.ids(event))) {
        let entry = entries.get(id);
        if (entry === undefined) {
          const row = (await documents.get(id)) as Row | undefined;
          entry = { row, stored: row !== undefined };
          entries.set(id, entry);
        }
        const { row } = entry;
        entry.row = blamed(at, () => rows.next(row, event)) as Row | undefined;
      }
    }
    for (const [id, { row, stored }] of entries) {
      if (row !== undefined) documents.store(id, row);
      else if (stored) documents.delete(id);
    }
  };
}

function blamed<T>(at: number, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw new BatchRefused(at, error);
  }
}

/** The context is always the runtime's own: rows have ids beside what they hold. */
function rowsOf(ctx: Context<string>, type: DocumentType<unknown>): HandlerDocuments {
  return ctx.documents(type) as unknown as HandlerDocuments;
}

/**
 * The rows that an event is for, each once.
 *
 * @throws {Failure} EVENT_REJECTED when a key is none.
 */
function rowIds({ key }: Pick<Folding, "key">, event: AnyReceived): readonly string[] {
  if (key === undefined) return [event.key];
  const given = key(event);
  const keys: readonly unknown[] = Array.isArray(given) ? given : [given];
  const ids = keys.map((one) => {
    const result = keyText(one);
    if (result.ok) return result.key;
    throw new Failure("EVENT_REJECTED", `${event.type}: the row's key ${result.reason}`);
  });
  return ids.length < 2 ? ids : [...new Set(ids)];
}
