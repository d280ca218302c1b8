import ts from "typescript";
import { walk } from "./ast.js";
import { product, type Repo } from "./repo.js";
import { type Offence, offence, type Rule } from "./rule.js";

const tablePath = `${product}failure/codes.ts`;
const pagePath = "docs/errors.md";
const tableOf = (codes: string) => `export const failureCodes = { ${codes} } as const;`;

interface Code {
  readonly name: string;
  readonly position: number;
  readonly verdict: string | undefined;
}

/** The keys of the object literal that `failureCodes` is set to, whatever is wrapped around it. */
function codesOf(repo: Repo): readonly Code[] | undefined {
  const file = repo.get(tablePath);
  let codes: Code[] | undefined;
  if (file === undefined) return undefined;
  walk(file.ast, (node) => {
    if (!ts.isVariableDeclaration(node) || node.name.getText(file.ast) !== "failureCodes") return;
    const literal = node.initializer && literalIn(node.initializer);
    codes = literal?.properties.flatMap((property) => {
      const name = property.name;
      if (!name || !(ts.isIdentifier(name) || ts.isStringLiteral(name))) return [];
      return [{ name: name.text, position: property.getStart(file.ast), verdict: verdictIn(property) }];
    });
  });
  return codes;
}

function verdictIn(row: ts.Node): string | undefined {
  let verdict: string | undefined;
  walk(row, (node) => {
    if (!ts.isPropertyAssignment(node) || node.name.getText() !== "verdict") return;
    if (ts.isStringLiteral(node.initializer)) verdict = node.initializer.text;
  });
  return verdict;
}

function literalIn(node: ts.Node): ts.ObjectLiteralExpression | undefined {
  if (ts.isObjectLiteralExpression(node)) return node;
  if (ts.isAsExpression(node) || ts.isSatisfiesExpression(node)) return literalIn(node.expression);
  return ts.isCallExpression(node) && node.arguments[0] ? literalIn(node.arguments[0]) : undefined;
}

export const errorsPageRule: Rule = {
  name: "docs/errors.md has one section per failure code",
  fix: `write or remove the section "## CODE" (its verdict, what happened, why, what to do); the table is ${tablePath}`,
  bad: [
    { [tablePath]: tableOf("A_B: {}"), [pagePath]: "# Errors\n" },
    { [tablePath]: tableOf("A_B: {}"), [pagePath]: "## A_B\n\n## A_B\n" },
    { [tablePath]: tableOf(""), [pagePath]: "## A_B\n" },
    { [tablePath]: tableOf('A_B: { verdict: "stop" }'), [pagePath]: "## A_B\n\nVerdict: retry.\n" },
    { [tablePath]: "export const other = {};", [pagePath]: "" },
    { [pagePath]: "" },
  ],
  good: [
    {
      [tablePath]: tableOf('A_B: { verdict: "stop" }, C: {}'),
      [pagePath]: "# Errors\n\n## A_B\n\nVerdict: stop.\n\n## C\n",
    },
  ],
  check: errorsPage,
};

function errorsPage(repo: Repo): readonly Offence[] {
  const codes = codesOf(repo);
  if (codes === undefined) return [{ path: tablePath, what: "has no object literal failureCodes" }];
  const sections = (repo.get(pagePath)?.text ?? "").split(/^## /m).slice(1);
  const headings = sections.map((section) => section.split("\n")[0]?.trim() ?? "");
  const names = new Set(codes.map((code) => code.name));
  const counted = [...names].flatMap((name) => {
    const count = headings.filter((heading) => heading === name).length;
    return count === 1 ? [] : [{ path: pagePath, what: `${count} sections for ${name}` }];
  });
  const unknown = headings
    .filter((heading) => !names.has(heading))
    .map((heading) => ({ path: pagePath, what: `a section for ${heading}, which is no code` }));
  const otherVerdict = codes
    .filter(({ name, verdict }) => {
      const section = sections[headings.indexOf(name)];
      return section !== undefined && verdict !== undefined && !section.includes(`Verdict: ${verdict}.`);
    })
    .map(({ name, verdict }) => ({ path: pagePath, what: `${name} does not say "Verdict: ${verdict}."` }));
  return [...counted, ...unknown, ...otherVerdict];
}

export const raisedCodesRule: Rule = {
  name: "every failure code is raised by a test",
  fix: "write a test that brings the failure about and names its code in quotes, or remove the code",
  bad: [
    { [tablePath]: tableOf("A_B: {}"), "bench/src/a.test.ts": "// A_B" },
    { [tablePath]: tableOf("A_B: {}"), "bench/src/a.ts": 'const a = "A_B";' },
  ],
  good: [{ [tablePath]: tableOf("A_B: {}"), "bench/src/a.test.ts": 'expect(error.code).toBe("A_B");' }],
  check(repo) {
    const table = repo.get(tablePath);
    const codes = codesOf(repo) ?? [];
    const quoted = (name: string) => new RegExp(`["'\`]${name}["'\`]`);
    if (table === undefined) return [];
    return codes
      .filter(({ name }) => !repo.tests.some((file) => quoted(name).test(file.text)))
      .map(({ name, position }) => offence(table, position, `no test names "${name}"`));
  },
};
