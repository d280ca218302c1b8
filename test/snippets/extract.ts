import ts from "typescript";
import { walk } from "../tidy/ast.js";
import { doorsOf, exportsOfDoor } from "../tidy/doors.js";
import type { Repo } from "../tidy/repo.js";

/** A block of code that the documentation shows. */
export interface Snippet {
  readonly path: string;
  /** Line of the file on which the code begins, so that errors can be found. */
  readonly line: number;
  readonly code: string;
  readonly runs: boolean;
}

type Source = Pick<Snippet, "path" | "line"> & { readonly text: string; readonly runsUnlessTold: boolean };

/**
 * The ```ts blocks of a text: ```ts run is executed, ```ts no-run only compiled, ```ts no-check left alone.
 *
 * @throws {Error} for a word after ```ts that means nothing, so that a misspelt one does not go unnoticed.
 */
export function blocksOf({ path, line, text, runsUnlessTold }: Source): readonly Snippet[] {
  const found: Snippet[] = [];
  let open: { indent: number; words: readonly string[]; line: number; code: string[] } | undefined;
  for (const [index, row] of text.split("\n").entries()) {
    const fence = /^(\s*)```(.*)$/.exec(row);
    if (fence === null) {
      open?.code.push(row.slice(Math.min(open.indent, row.length - row.trimStart().length)));
    } else if (open === undefined) {
      const words = (fence[2] ?? "").trim().split(/\s+/);
      open = { indent: (fence[1] ?? "").length, words, line: line + index + 1, code: [] };
    } else {
      const [language, ...words] = open.words;
      if ((language === "ts" || language === "typescript") && !words.includes("no-check")) {
        const unknown = words.find((word) => word !== "run" && word !== "no-run");
        if (unknown) throw new Error(`${path}:${open.line - 1}: \`\`\`ts ${unknown} is not run, no-run or no-check`);
        const runs = words.includes("run") || (runsUnlessTold && !words.includes("no-run"));
        found.push({ path, line: open.line, code: `${open.code.join("\n")}\n`, runs });
      }
      open = undefined;
    }
  }
  if (open !== undefined) throw new Error(`${path}:${open.line - 1}: the code block is not closed`);
  return found;
}

export function pageSnippets(repo: Repo): readonly Snippet[] {
  const isPage = (path: string) => path === "README.md" || /^docs\/(?!adr\/).*\.md$/.test(path);
  return repo.files
    .filter((file) => isPage(file.path))
    .flatMap(({ path, text }) => blocksOf({ path, text, line: 1, runsUnlessTold: false }));
}

/** The `@example` blocks of what users can import. They run unless their fence says no-run. */
export function exampleSnippets(repo: Repo): readonly Snippet[] {
  const found = new Map<string, Snippet>();
  for (const { file, declarations } of doorsOf(repo).flatMap((door) => exportsOfDoor(repo, door))) {
    for (const tag of declarations.flatMap(exampleTags)) {
      const text = ts.getTextOfJSDocComment(tag.comment) ?? "";
      const source = { path: file.path, line: file.lineAt(tag.getStart(file.ast)), runsUnlessTold: true };
      const fenced = text.includes("```") ? text : `\`\`\`ts\n${text}\n\`\`\``;
      for (const block of blocksOf({ ...source, text: fenced })) found.set(`${block.path}:${block.line}`, block);
    }
  }
  return [...found.values()];
}

function exampleTags(declaration: ts.Node): readonly ts.JSDocTag[] {
  const found: ts.JSDocTag[] = [];
  walk(declaration, (node) => {
    const tags = ts.getJSDocCommentsAndTags(node).flatMap((doc) => (ts.isJSDoc(doc) ? (doc.tags ?? []) : []));
    found.push(...tags.filter((tag) => tag.tagName.text === "example"));
  });
  return found;
}
