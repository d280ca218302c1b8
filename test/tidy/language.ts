import ts from "typescript";
import { commentsOf, walk } from "./ast.js";
import type { SourceFile } from "./repo.js";
import { type Offence, offence, type Rule } from "./rule.js";

function constructs(file: SourceFile): readonly Offence[] {
  const found: Offence[] = [];
  walk(file.ast, (node) => {
    const add = (what: string) => found.push(offence(file, node.getStart(file.ast), what));
    if (ts.isEnumDeclaration(node)) add("declares an enum");
    if (ts.isModuleDeclaration(node) && ts.isIdentifier(node.name) && node.name.text !== "global") {
      add("declares a namespace");
    }
    if (ts.isDecorator(node)) add("uses a decorator");
  });
  return found;
}

export const constructsRule: Rule = {
  name: "no enum, namespace or decorator",
  fix: "use a union of string literals, a module, a plain function",
  bad: [
    { "bench/src/a.ts": "enum Verdict { Retry }" },
    { "bench/src/a.ts": "namespace Lanes {}" },
    { "bench/src/a.ts": "@sealed class A {}" },
  ],
  good: [{ "bench/src/a.ts": 'type Verdict = "retry" | "stop";\nconst text = "enum A {}";\ndeclare global {}' }],
  check: (repo) => repo.code.flatMap(constructs),
};

export const defaultExportRule: Rule = {
  name: "no default exports",
  fix: "export it by name, so that it is called the same everywhere",
  bad: [
    { "bench/src/a.ts": "export default 1;" },
    { "bench/src/a.ts": "export default function f() {}" },
    { "bench/src/a.ts": "const a = 1;\nexport { a as default };" },
  ],
  good: [
    { "bench/src/a.ts": "export const a = 1;", "vitest.config.ts": "export default {};" },
    // The option `isolate` names a module by its file, and takes its default export.
    { "bench/src/risk-isolated.ts": "export default () => {};" },
  ],
  check: (repo) => repo.code.filter((file) => !/(\.config|-isolated)\.ts$/.test(file.path)).flatMap(defaultExports),
};

function defaultExports(file: SourceFile): readonly Offence[] {
  const found: Offence[] = [];
  walk(file.ast, (node) => {
    const isDefault =
      ts.isExportAssignment(node) ||
      node.kind === ts.SyntaxKind.DefaultKeyword ||
      (ts.isExportSpecifier(node) && node.name.text === "default");
    const isSwitch = node.parent && ts.isDefaultClause(node.parent);
    if (isDefault && !isSwitch) found.push(offence(file, node.getStart(file.ast), "exports a default"));
  });
  return found;
}

/** Ways around the compiler, the linter and the plan: each needs its reason on the spot. */
const escapes: readonly { readonly start: RegExp; readonly accepted: RegExp; readonly what: string }[] = [
  { start: /@ts-ignore\b|@ts-nocheck\b/, accepted: /(?!)/, what: "switches the compiler off" },
  {
    start: /@ts-expect-error\b/,
    accepted: /@ts-expect-error\s*[:—-]?\s*\S.{9,}/,
    what: "gives no reason for @ts-expect-error",
  },
  {
    start: /\bbiome-ignore/,
    accepted: /biome-ignore[\w-]*\s+[\w/]+:\s*\S.{9,}/,
    what: "gives no reason for the ignored lint rule",
  },
  {
    start: /\b(TODO|FIXME|XXX|HACK)\b/,
    accepted: /\bTODO\([\w./-]+\.(ts|md)\): \S.{9,}/,
    what: "leaves work without an owner file and a reason",
  },
];

function escapesIn(file: SourceFile): readonly Offence[] {
  const comments = commentsOf(file);
  const found = comments.flatMap(({ text, position }) =>
    escapes
      .filter(({ start, accepted }) => start.test(text) && !accepted.test(text.slice(text.search(start))))
      .map(({ what }) => offence(file, position, what)),
  );
  const explained = new Set(
    comments.filter(({ text }) => /biome-ignore/.test(text)).map(({ position }) => file.lineAt(position) + 1),
  );
  walk(file.ast, (node) => {
    if (!ts.isAsExpression(node) || node.type.kind !== ts.SyntaxKind.AnyKeyword) return;
    if (!explained.has(file.lineAt(node.getStart(file.ast)))) {
      found.push(offence(file, node.getStart(file.ast), "casts to any"));
    }
  });
  return found;
}

export const escapesRule: Rule = {
  name: "no way around the tools without a reason",
  fix: "make the types say it; where that is impossible, write the reason after a colon; open work is written TODO(owner-file.ts): reason",
  bad: [
    { "bench/src/a.ts": "// @ts-ignore\nf();" },
    { "bench/src/a.ts": "// @ts-expect-error\nf();" },
    { "bench/src/a.ts": "// biome-ignore lint/suspicious/noExplicitAny: x\nlet a: any;" },
    { "bench/src/a.ts": "const a = b as any;" },
    { "bench/src/a.ts": `function f() {\n  // ${"TODO"} later\n}` },
    { "bench/src/a.ts": `const a = \`\${b}\`; /* ${"FIXME"} */` },
  ],
  good: [
    { "bench/src/a.ts": "// @ts-expect-error an undeclared event must not compile\nf();" },
    { "bench/src/a.ts": 'const text = "// @ts-ignore";\nconst other = `// @ts-ignore $' + "{text} // @ts-ignore`;" },
    { "bench/src/a.ts": `// ${"TODO"}(relay.ts): pages by id until snapshots are stored` },
  ],
  check: (repo) => repo.code.flatMap(escapesIn),
};
