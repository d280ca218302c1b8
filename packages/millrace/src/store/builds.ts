/** live: its rows answer. building: it is folded beside it. retired: it answered before. dropped: its rows are removed. */
export type BuildState = "live" | "building" | "retired" | "dropped";

/** A view, its version, and the how manyeth build of that version. */
export interface BuildName {
  readonly name: string;
  readonly version: number;
  readonly build: number;
}

/** One making of a projection's rows from the log, by a consumer of its own. Times are ms since the epoch. */
export interface Build extends BuildName {
  readonly service: string;
  readonly state: BuildState;
  readonly created: number;
  /** When it got this state. */
  readonly since: number;
}

/** What a swap checks. */
export interface Swap extends BuildName {
  readonly service: string;
  /** Also when events wait in its lanes that the live rows have. */
  readonly force: boolean;
}

/** How a build is named, as a consumer within its service and as the type of its rows: `order-summary@2`, then `order-summary@2.2`. */
export function buildLabel({ name, version, build }: BuildName): string {
  return build === 1 ? `${name}@${version}` : `${name}@${version}.${build}`;
}

/** What the names of a build's own tables begin with. */
export function tablePrefix({ name, version, build }: BuildName): string {
  return `${name.replaceAll("-", "_")}_v${version}_${build}__`;
}

/** The consumer of a build. */
export function buildConsumer(build: BuildName & { readonly service: string }): string {
  return `${build.service}.${buildLabel(build)}`;
}

/** The projection, by name and version, whose rows a consumer folds; undefined when it is no build of one. */
export function viewOfConsumer(consumer: string): string | undefined {
  return /^[^.]+\.([\w-]+@\d+)(\.\d+)?$/.exec(consumer)?.[1];
}

/** Under which name a consumer's amendments are kept: all builds of a view have the same. */
export function amendedAs(consumer: string): string {
  const at = consumer.indexOf("@");
  return at < 0 ? consumer : consumer.slice(0, at);
}
