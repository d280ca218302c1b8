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
  /** Folds events into the rows of a build. */
  fold(build: BuildName): BatchHandler;
}

/** A view, its version, and the how manyeth build of that version. */
export interface BuildName {
  readonly name: string;
  readonly version: number;
  readonly build: number;
}

/** How a build is named, as a consumer within its service and as the type of its rows: `order-summary@2`. */
export function buildLabel({ name, version, build }: BuildName): string {
  return build === 1 ? `${name}@${version}` : `${name}@${version}.${build}`;
}

/** Folds into the rows of a version's first build. */
export function firstFold(view: View): BatchHandler {
  return view.fold({ name: view.name, version: view.version, build: 1 });
}
