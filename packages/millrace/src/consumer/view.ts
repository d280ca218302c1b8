import type { Received } from "../contract/contract.js";
import type { BuildName } from "../store/builds.js";
import type { Migration } from "../store/store.js";
import type { BatchHandler } from "./batch.js";

/**
 * What a projection is made of. Its rows are made by builds, each a consumer of its own: the first of a version is
 * named `order-summary@2`, later ones `order-summary@2.2`, `order-summary@2.3`.
 */
export interface View {
  readonly name: string;
  readonly version: number;
  /** Tables of a build, when its rows are in the author's own tables; they are made before it starts. */
  tables(build: BuildName): readonly Migration[];
  /** The names of those tables, as the author gave them. */
  readonly tableNames: readonly string[];
  /** Folds events into the rows of a build. */
  fold(build: BuildName): BatchHandler;
  /** How its rows are made, to make them once more; undefined when they are in the author's own tables. */
  readonly rows: ViewRows | undefined;
}

/** How the rows of a view are made of events. */
export interface ViewRows {
  /**
   * The rows that an event is for.
   *
   * @throws {Failure} EVENT_REJECTED when a key is none.
   */
  ids(event: Received<string, unknown>): readonly string[];
  /**
   * The row after an event, checked; undefined when there is none any more.
   *
   * @throws {Failure} DOCUMENT_REJECTED, or what the fold throws.
   */
  next(row: unknown, event: Received<string, unknown>): unknown;
}

/** Folds into the rows of a version's first build. */
export function firstFold(view: View): BatchHandler {
  return view.fold({ name: view.name, version: view.version, build: 1 });
}
