import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import ts from "typescript";
import { root } from "../tidy/repo.js";
import type { Snippet } from "./extract.js";

export interface Compiled {
  readonly snippet: Snippet;
  /** The JavaScript that came out. */
  readonly output: string;
  /** What the compiler says, with the lines of the page. */
  readonly errors: readonly string[];
}

/**
 * Type-checks all snippets in one program with the configuration of the product, and writes their JavaScript.
 *
 * The folder has to be inside of the repository, so that `millrace` and `zod` are found.
 */
export function compile(snippets: readonly Snippet[], folder: string): readonly Compiled[] {
  mkdirSync(folder, { recursive: true });
  const files = snippets.map((snippet, index) => {
    const name = `${index}-${snippet.path.replaceAll(/[^a-z0-9]+/gi, "-")}-${snippet.line}`;
    writeFileSync(join(folder, `${name}.ts`), snippet.code);
    return { snippet, source: join(folder, `${name}.ts`), output: join(folder, `${name}.js`) };
  });
  const program = ts.createProgram(
    files.map((file) => file.source),
    options(),
  );
  const diagnostics = ts.getPreEmitDiagnostics(program);
  program.emit();
  const general = diagnostics.filter((diagnostic) => diagnostic.file === undefined).map((found) => message(found));
  if (general.length > 0) throw new Error(general.join("\n"));
  return files.map(({ snippet, source, output }) => {
    const own = diagnostics.filter((diagnostic) => diagnostic.file?.fileName === source);
    return { snippet, output, errors: own.map((diagnostic) => `${place(snippet, diagnostic)} ${message(diagnostic)}`) };
  });
}

function options(): ts.CompilerOptions {
  const path = join(root, "tsconfig.base.json");
  const read = ts.readConfigFile(path, ts.sys.readFile);
  const { options: base } = ts.parseJsonConfigFileContent(read.config, ts.sys, root, undefined, path);
  const off = { composite: false, incremental: false, declaration: false, declarationMap: false, sourceMap: false };
  return { ...base, ...off, moduleDetection: ts.ModuleDetectionKind.Force };
}

function place(snippet: Snippet, diagnostic: ts.Diagnostic): string {
  const line = diagnostic.file?.getLineAndCharacterOfPosition(diagnostic.start ?? 0).line ?? 0;
  return `${snippet.path}:${snippet.line + line}`;
}

function message(diagnostic: ts.Diagnostic): string {
  return ts.flattenDiagnosticMessageText(diagnostic.messageText, "\n");
}
