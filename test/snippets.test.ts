import { execFile } from "node:child_process";
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, describe, expect, it } from "vitest";
import { compile } from "./snippets/compile.js";
import { blocksOf, exampleSnippets, pageSnippets } from "./snippets/extract.js";
import { product, readRepo, repoOf, root } from "./tidy/repo.js";

// A folder per process, because two runs may share one checkout.
const folder = join(root, ".snippets", String(process.pid));
const runMsMax = 20_000;
const run = promisify(execFile);
const blocks = (text: string, runsUnlessTold = false) => blocksOf({ path: "a.md", line: 1, text, runsUnlessTold });

afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("the documentation", () => {
  const repo = readRepo();
  const compiled = compile([...pageSnippets(repo), ...exampleSnippets(repo)], join(folder, "documentation"));
  const named = compiled.map((one) => ({ ...one, name: `${one.snippet.path}:${one.snippet.line}` }));

  it("begins with a program in the README that is executed", () => {
    expect(named.filter(({ snippet }) => snippet.runs && snippet.path === "README.md")).not.toEqual([]);
  });

  it.each(named)("compiles $name", ({ errors }) => {
    expect(errors).toEqual([]);
  });

  it.each(named.filter(({ snippet }) => snippet.runs))("runs $name", async ({ name, output }) => {
    const cwd = join(folder, "run", name.replaceAll(/\W+/g, "-"));
    mkdirSync(cwd, { recursive: true });
    await run(process.execPath, [output], { cwd, timeout: runMsMax, killSignal: "SIGKILL" });
  });
});

describe("the snippets of a page", () => {
  it("are its ts blocks, with the line on which the code begins", () => {
    const text = "# A\n\n```ts\nconst a = 1;\n```\n\n```sh\nls\n```\n\n```ts run\nf();\n```\n";
    expect(blocks(text)).toEqual([
      { path: "a.md", line: 4, code: "const a = 1;\n", runs: false },
      { path: "a.md", line: 12, code: "f();\n", runs: true },
    ]);
  });

  it("leave out what is marked no-check", () => {
    expect(blocks("```ts no-check\nf(…)\n```")).toEqual([]);
  });

  it("lose the indentation of their fence", () => {
    expect(blocks("- item\n  ```ts\n  f(\n    1,\n  );\n  ```")[0]?.code).toBe("f(\n  1,\n);\n");
  });

  it("are refused when a word is misspelt or the block is left open", () => {
    expect(() => blocks("```ts nocheck\nf();\n```")).toThrow("a.md:1");
    expect(() => blocks("text\n```ts\nf();")).toThrow("a.md:2: the code block is not closed");
  });

  it("are taken from README and docs, without the decision records", () => {
    const text = "```ts\nf();\n```";
    const pages = repoOf({ "README.md": text, "docs/a.md": text, "docs/adr/0001-a.md": text, "CHANGELOG.md": text });
    expect(pageSnippets(pages).map((snippet) => snippet.path)).toEqual(["README.md", "docs/a.md"]);
  });
});

describe("the examples of doc comments", () => {
  const repo = repoOf({
    [`${product}index.ts`]: 'export { topic } from "./contract/topic.js";',
    [`${product}contract/topic.ts`]: [
      "/**",
      " * Makes a topic.",
      " *",
      " * @example",
      " * ```ts",
      ' * topic("a", {',
      " *   key: 1,",
      " * });",
      " * ```",
      " */",
      "export function topic() {}",
      "/** @example hidden(); */",
      "export const hidden = 1;",
    ].join("\n"),
  });

  it("are those of public exports, and run", () => {
    const found = exampleSnippets(repo);
    expect(found).toHaveLength(1);
    expect(found[0]).toMatchObject({ path: `${product}contract/topic.ts`, runs: true });
    expect(found[0]?.code).toBe('topic("a", {\n  key: 1,\n});\n');
  });
});

describe("the compiler of snippets", () => {
  const snippet = (code: string) => ({ path: "docs/a.md", line: 10, code, runs: false });

  it("reports the line of the page, under the strict rules of the product", () => {
    const [wrong] = compile(
      [snippet("\nconst a: readonly number[] = [];\nconst b: number = a[0];\n")],
      join(folder, "a"),
    );
    expect(wrong?.errors).toEqual([expect.stringMatching(/^docs\/a\.md:12 .*not assignable/s)]);
  });

  it("finds the package by its name, and keeps snippets apart", () => {
    const code = 'import * as millrace from "millrace";\nconst same = millrace;\nvoid same;\n';
    expect(compile([snippet(code), snippet(code)], join(folder, "b")).flatMap((one) => one.errors)).toEqual([]);
  });
});
