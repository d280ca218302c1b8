import ts from "typescript";
import { walk } from "./ast.js";
import type { SourceFile } from "./repo.js";
import { type Offence, offence, type Rule } from "./rule.js";

const runners = /^(it|test|describe|suite)\b/;
const linesAbove = 5;

/** The name of the modifier when the node is `it.only`, `describe.skipIf(x)`, `test.each(…).only` and the like. */
function modifier(node: ts.Node): string | undefined {
  if (!ts.isPropertyAccessExpression(node) || !runners.test(node.expression.getText())) return undefined;
  return node.name.text;
}

function printsReason(file: SourceFile, line: number): boolean {
  const above = file.text.split("\n").slice(Math.max(0, line - 1 - linesAbove), line - 1);
  return above.some((text) => /console\.\w+\(.*skip/i.test(text));
}

function silentTests(file: SourceFile): readonly Offence[] {
  const found: Offence[] = [];
  walk(file.ast, (node) => {
    const name = modifier(node);
    if (name === undefined) return;
    const position = node.getStart(file.ast);
    if (name === "only") found.push(offence(file, position, "runs one test and hides the others"));
    if (["skip", "todo", "skipIf", "runIf"].includes(name) && !printsReason(file, file.lineAt(position))) {
      found.push(offence(file, position, `${name} without a printed reason`));
    }
  });
  return found;
}

export const skippedTestsRule: Rule = {
  name: "no test is left out silently",
  fix: `remove .only; skip inside of the test with context.skip("reason"), or print the reason (console.info("skipped: …")) in the ${linesAbove} lines above`,
  bad: [
    { "bench/src/a.test.ts": 'it.only("a", () => {});' },
    { "bench/src/a.test.ts": 'describe.skip("a", () => {});' },
    { "bench/src/a.test.ts": 'it.skipIf(!found)("a", () => {});' },
    { "bench/src/a.test.ts": 'it.todo("a");' },
  ],
  good: [
    { "bench/src/a.test.ts": 'it("a", (context) => context.skip("no server"));' },
    {
      "bench/src/a.test.ts":
        'if (!found) console.info("skipped: no ../shared");\ndescribe.skipIf(!found)("a", () => {});',
    },
    { "bench/src/a.test.ts": 'queue.skip(1);\nconst text = "it.only(";' },
  ],
  check: (repo) => repo.tests.flatMap(silentTests),
};
