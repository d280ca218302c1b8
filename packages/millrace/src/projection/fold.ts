import { type BatchHandler, BatchRefused, type BatchWork } from "../consumer/batch.js";
import type { HandlerDocuments } from "../consumer/documents.js";
import type { Context } from "../consumer/handler.js";
import type { ViewRows } from "../consumer/view.js";
import type { AnyEvent, Received } from "../contract/contract.js";
import { type DocumentType, documentDeclaration } from "../contract/documents.js";
import { keyText } from "../contract/key.js";
import { Failure } from "../failure/failure.js";
import type { Awaitable } from "../log/log.js";

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

/** Folds events into documents of a type. A row is read once and written once, however many of the events it is for. */
export function foldInto(type: DocumentType<unknown>, rows: ViewRows): BatchHandler {
  return { begin: (ctx) => new RowWork(rowsOf(ctx, type), rows) };
}

/** The rows that some events have come to, before they are written. */
class RowWork implements BatchWork {
  readonly #entries = new Map<string, Entry>();

  constructor(
    readonly documents: HandlerDocuments,
    readonly rows: ViewRows,
  ) {}

  get weight(): number {
    return this.#entries.size;
  }

  get read(): number {
    return this.documents.charactersRead;
  }

  /** @throws {BatchRefused} with DOCUMENT_REJECTED, EVENT_REJECTED, or what the fold threw. */
  handle(events: readonly AnyReceived[]): Awaitable<void> {
    return this.#from(events, 0);
  }

  /** Answers at once where the store does. */
  #from(events: readonly AnyReceived[], start: number): Awaitable<void> {
    for (let at = start; at < events.length; at += 1) {
      const event = events[at] as AnyReceived;
      const ids = this.#ids(event, at);
      const only = ids.length === 1 ? this.#entries.get(ids[0] as string) : undefined;
      if (only !== undefined) {
        this.#fold(only, event, at);
        continue;
      }
      for (const id of ids) {
        if (this.#entries.has(id)) continue;
        const row = this.documents.read(id);
        if (row instanceof Promise)
          return row.then((read) => {
            this.#enter(id, read as Row | undefined);
            return this.#from(events, at);
          });
        this.#enter(id, row as Row | undefined);
      }
      for (const id of ids) this.#fold(this.#entries.get(id) as Entry, event, at);
    }
  }

  #enter(id: string, row: Row | undefined): void {
    this.#entries.set(id, { row, stored: row !== undefined });
  }

  #ids(event: AnyReceived, at: number): readonly string[] {
    try {
      return this.rows.ids(event);
    } catch (error) {
      throw new BatchRefused(at, error);
    }
  }

  #fold(entry: Entry, event: AnyReceived, at: number): void {
    try {
      entry.row = this.rows.next(entry.row, event) as Row | undefined;
    } catch (error) {
      throw new BatchRefused(at, error);
    }
  }

  finish(): void {
    for (const [id, { row, stored }] of this.#entries) {
      if (row !== undefined) this.documents.store(id, row);
      else if (stored) this.documents.delete(id);
    }
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
