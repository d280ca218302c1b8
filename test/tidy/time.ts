import ts from "typescript";
import { importsOf, walk } from "./ast.js";
import { layerOf } from "./layers.js";
import { folderOf, isTest, product, type SourceFile } from "./repo.js";
import { type Offence, offence, type Rule } from "./rule.js";

const firstLayerWithTime = 7;

function isCallTo(node: ts.Node, names: readonly string[]): boolean {
  if (!ts.isCallExpression(node)) return false;
  const callee = node.expression;
  if (ts.isIdentifier(callee)) return names.includes(callee.text);
  const onGlobal = ts.isPropertyAccessExpression(callee) && callee.expression.getText() === "globalThis";
  return onGlobal && names.includes(callee.name.text);
}

function ambientTime(file: SourceFile): readonly Offence[] {
  const found: Offence[] = [];
  const add = (position: number, what: string) => found.push(offence(file, position, what));
  walk(file.ast, (node) => {
    const position = node.getStart(file.ast);
    if (ts.isPropertyAccessExpression(node)) {
      const text = `${node.expression.getText(file.ast)}.${node.name.text}`;
      if (text === "Date.now" || text === "Math.random") add(position, `uses ${text}`);
    }
    if (ts.isNewExpression(node) && node.expression.getText(file.ast) === "Date" && !node.arguments?.length) {
      add(position, "uses new Date() for the present time");
    }
    if (isCallTo(node, ["setTimeout", "setInterval"])) add(position, "sets a timer of its own");
  });
  for (const { specifier, position } of importsOf(file)) {
    if (/^(node:)?timers(\/promises)?$/.test(specifier)) add(position, `imports ${specifier}`);
  }
  return found;
}

export const clockRule: Rule = {
  name: `time and chance are passed in below layer ${firstLayerWithTime}`,
  fix: "take the Clock, Random or Ids of runtime/ as a parameter, so that tests can drive them",
  bad: [
    { [`${product}consumer/a.ts`]: "const a = Date.now();" },
    { [`${product}consumer/a.ts`]: "const now = Date.now;" },
    { [`${product}consumer/a.ts`]: "const a = new Date();" },
    { [`${product}embedded/a.ts`]: "const a = Math.random();" },
    { [`${product}embedded/a.ts`]: "setTimeout(() => {}, 1);" },
    { [`${product}embedded/a.ts`]: "globalThis.setInterval(() => {}, 1);" },
    { [`${product}embedded/a.ts`]: 'import { setTimeout as sleep } from "node:timers/promises";' },
  ],
  good: [
    { [`${product}runtime/clock.ts`]: "const a = Date.now();" },
    { [`${product}app/a.ts`]: "const a = Date.now();" },
    { [`${product}consumer/a.ts`]: "setImmediate(f); queueMicrotask(f); clock.setTimeout(f); new Date(clock.now());" },
    { [`${product}consumer/a.test.ts`]: "const a = Date.now();" },
  ],
  check: (repo) =>
    repo.product
      .filter((file) => (layerOf(file.path) ?? firstLayerWithTime) < firstLayerWithTime)
      .filter((file) => folderOf(file.path) !== "runtime")
      .flatMap(ambientTime),
};

export const sleepRule: Rule = {
  name: "tests do not sleep",
  fix: "drive the virtual clock, or await the condition itself (vi.waitFor, expect.poll)",
  bad: [
    { "bench/src/a.test.ts": "await new Promise((done) => setTimeout(done, 10));" },
    { "bench/src/a.test.ts": "await sleep(10);" },
    { "bench/src/a.test.ts": 'import { setTimeout as pause } from "node:timers/promises";' },
  ],
  good: [
    { "bench/src/a.test.ts": 'await vi.waitFor(f);\nconst text = "setTimeout(f)";', "bench/src/a.ts": "sleep(1);" },
  ],
  check: (repo) => repo.code.filter(isTest).flatMap(sleeps),
};

function sleeps(file: SourceFile): readonly Offence[] {
  const found: Offence[] = [];
  walk(file.ast, (node) => {
    if (isCallTo(node, ["setTimeout", "setInterval", "sleep", "delay"])) {
      found.push(offence(file, node.getStart(file.ast), "waits for time to pass"));
    }
  });
  walk(file.ast, (node) => {
    if (
      !ts.isImportSpecifier(node) ||
      !/^(setTimeout|setInterval|scheduler)$/.test((node.propertyName ?? node.name).text)
    )
      return;
    const { moduleSpecifier } = node.parent.parent.parent;
    const text = moduleSpecifier.getText(file.ast).slice(1, -1);
    if (/^(node:)?timers(\/promises)?$/.test(text))
      found.push(offence(file, node.getStart(file.ast), `imports a timer`));
  });
  return found;
}
