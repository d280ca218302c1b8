import type { Repo, SourceFile } from "./repo.js";

/** One place where a rule is broken. */
export interface Offence {
  readonly path: string;
  readonly line?: number;
  readonly what: string;
}

/** A small repository in memory: path to text. */
export type Sample = Readonly<Record<string, string>>;

/**
 * A rule of the house.
 *
 * It carries samples of its own: each `bad` one must be refused and each `good` one accepted, so that a rule that
 * cannot fail is noticed.
 */
export interface Rule {
  readonly name: string;
  /** What to do about an offence, as advice to the person who made it. */
  readonly fix: string;
  readonly bad: readonly Sample[];
  readonly good: readonly Sample[];
  check(repo: Repo): readonly Offence[];
}

export function report(rule: Rule, offences: readonly Offence[]): string {
  const places = offences.map(({ path, line, what }) => `  ${path}${line === undefined ? "" : `:${line}`}  ${what}`);
  return [`rule "${rule.name}" is broken in ${offences.length} place(s):`, ...places, `fix: ${rule.fix}`].join("\n");
}

export function offence(file: SourceFile, position: number, what: string): Offence {
  return { path: file.path, line: file.lineAt(position), what };
}
