import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import ts from "typescript";

export const root = resolve(import.meta.dirname, "../..");
export const product = "packages/millrace/src/";

/** A text file of the repository, or of a small repository made up by a rule's own test. */
export class SourceFile {
  readonly path: string;
  readonly text: string;
  #ast: ts.SourceFile | undefined;

  constructor(path: string, text: string) {
    this.path = path;
    this.text = text;
  }

  get ast(): ts.SourceFile {
    this.#ast ??= ts.createSourceFile(this.path, this.text, ts.ScriptTarget.ES2023, true);
    return this.#ast;
  }

  get lines(): number {
    return this.text.split("\n").length - (this.text.endsWith("\n") ? 1 : 0);
  }

  lineAt(position: number): number {
    return this.ast.getLineAndCharacterOfPosition(position).line + 1;
  }
}

export class Repo {
  readonly files: readonly SourceFile[];
  readonly #byPath: ReadonlyMap<string, SourceFile>;

  constructor(files: readonly SourceFile[]) {
    this.files = files;
    this.#byPath = new Map(files.map((file) => [file.path, file]));
  }

  get(path: string): SourceFile | undefined {
    return this.#byPath.get(path);
  }

  /** Every TypeScript file that people write: product, examples, benchmarks, house. */
  get code(): readonly SourceFile[] {
    return this.files.filter((file) => /^(packages|examples|bench|chaos|tools|test)\/.*\.ts$/.test(file.path));
  }

  /** The published code without its tests. */
  get product(): readonly SourceFile[] {
    return this.files.filter((file) => file.path.startsWith(product) && file.path.endsWith(".ts") && !isTest(file));
  }

  get tests(): readonly SourceFile[] {
    return this.code.filter(isTest);
  }

  json(path: string): unknown {
    const file = this.get(path);
    return file === undefined ? undefined : JSON.parse(file.text);
  }
}

export function isTest(file: SourceFile): boolean {
  return file.path.endsWith(".test.ts");
}

/** Folder below the product's src, or "" for a file directly in it. */
export function folderOf(path: string): string {
  const below = path.slice(product.length);
  return below.includes("/") ? (below.split("/")[0] ?? "") : "";
}

/** The checkout as git sees it: tracked files and new ones that are not ignored. */
export function readRepo(): Repo {
  const listed = execFileSync("git", ["ls-files", "-z", "--cached", "--others", "--exclude-standard"], { cwd: root });
  const paths = [...new Set(listed.toString("utf8").split("\0"))].filter((path) => path !== "");
  const present = paths.filter((path) => existsSync(resolve(root, path)));
  return new Repo(present.map((path) => new SourceFile(path, readFileSync(resolve(root, path), "utf8"))));
}

export function repoOf(files: Readonly<Record<string, string>>): Repo {
  return new Repo(Object.entries(files).map(([path, text]) => new SourceFile(path, text)));
}
