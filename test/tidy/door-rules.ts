import ts from "typescript";
import { importsOf } from "./ast.js";
import { doorsOf, exportsOfDoor } from "./doors.js";
import { product, type Repo } from "./repo.js";
import { type Offence, offence, type Rule } from "./rule.js";

const manifestPath = "packages/millrace/package.json";

export const reExportRule: Rule = {
  name: "index.ts only re-exports",
  fix: "move the code to a file named for it and re-export it",
  bad: [
    { [`${product}index.ts`]: "export const a = 1;" },
    { "bench/src/index.ts": 'import { a } from "./a.js";\nexport { a };' },
  ],
  good: [{ [`${product}index.ts`]: 'export { a } from "./a.js";\nexport type { B } from "./b.js";\nexport {};' }],
  check: (repo) =>
    repo.code
      .filter((file) => file.path.endsWith("/index.ts"))
      .flatMap((file) =>
        file.ast.statements
          .filter((statement) => !isReExport(statement))
          .map((statement) => offence(file, statement.getStart(file.ast), "does more than re-export")),
      ),
};

function isReExport(statement: ts.Statement): boolean {
  if (!ts.isExportDeclaration(statement)) return false;
  if (statement.moduleSpecifier !== undefined) return true;
  const clause = statement.exportClause;
  return clause !== undefined && ts.isNamedExports(clause) && clause.elements.length === 0;
}

export const innerImportRule: Rule = {
  name: "doors are for users",
  fix: "inside of the package, import the file that defines the thing",
  bad: [{ [`${product}log/log.ts`]: 'import { a } from "../failure/index.js";' }],
  good: [
    { [`${product}log/log.ts`]: 'import { a } from "../failure/failure.js";' },
    { [`${product}index.ts`]: 'export * from "./testing/index.js";' },
  ],
  check: (repo) =>
    repo.product
      .filter((file) => !file.path.endsWith("/index.ts"))
      .flatMap((file) =>
        importsOf(file)
          .filter(({ specifier }) => /^\..*\/index\.js$|^\.\.?$/.test(specifier))
          .map(({ specifier, position }) => offence(file, position, `imports the door ${specifier}`)),
      ),
};

export const documentedRule: Rule = {
  name: "every public export has a doc comment",
  fix: "say at the definition what the type cannot: the promise, then shape and units, then failure",
  bad: [
    { [`${product}index.ts`]: 'export { a } from "./log/log.js";', [`${product}log/log.ts`]: "export const a = 1;" },
    {
      [`${product}index.ts`]: 'export * from "./log/log.js";',
      [`${product}log/log.ts`]: "// a\nexport interface A {}",
    },
    {
      [`${product}log/index.ts`]: 'export { b as a } from "./log.js";',
      [`${product}log/log.ts`]: 'import { b } from "./other.js";\nexport { b };',
      [`${product}log/other.ts`]: "export function b() {}",
    },
  ],
  good: [
    {
      [`${product}index.ts`]: 'export { a, f } from "./log/log.js";',
      [`${product}log/log.ts`]:
        "/** A. */\nexport const a = 1;\n/** F. */\nexport function f(): void;\nexport function f() {}\nexport const hidden = 1;",
    },
  ],
  check: undocumented,
};

function undocumented(repo: Repo): readonly Offence[] {
  const found = new Map<string, Offence>();
  for (const door of doorsOf(repo)) {
    for (const { name, file, declarations } of exportsOfDoor(repo, door)) {
      const first = declarations[0];
      const documented = declarations.some((node) => ts.getJSDocCommentsAndTags(node).some(ts.isJSDoc));
      if (first === undefined || documented) continue;
      found.set(`${file.path} ${name}`, offence(file, first.getStart(file.ast), `${name} has no doc comment`));
    }
  }
  return [...found.values()];
}

type Targets = string | { readonly types?: string; readonly default?: string };
const manifest = (exports: Record<string, Targets>, bin = {}) => JSON.stringify({ exports, bin });
const testingDoor = { types: "./dist/testing/index.d.ts", default: "./dist/testing/index.js" };

export const exportsMapRule: Rule = {
  name: "the exports map and the doors agree",
  fix: 'each subpath "./x" has types ./dist/x/index.d.ts, default ./dist/x/index.js and a door src/x/index.ts; each door has a subpath',
  bad: [
    { [manifestPath]: manifest({ "./testing": testingDoor }) },
    { [manifestPath]: manifest({ "./kafka": testingDoor }), [`${product}testing/index.ts`]: "" },
    { [manifestPath]: manifest({ "./testing": "./dist/testing/index.js" }), [`${product}testing/index.ts`]: "" },
    { [manifestPath]: manifest({}), [`${product}testing/index.ts`]: "" },
    { [manifestPath]: manifest({}, { millrace: "./dist/cli/main.js" }) },
    { [manifestPath]: manifest({ "./package.json": "./gone.json" }) },
  ],
  good: [
    {
      [manifestPath]: manifest(
        { "./testing": testingDoor, "./package.json": "./package.json" },
        { m: "./dist/cli/main.js" },
      ),
      [`${product}testing/index.ts`]: "",
      [`${product}cli/main.ts`]: "",
    },
    { [manifestPath]: manifest({}, { m: "./bin/m.js" }), "packages/millrace/bin/m.js": "" },
  ],
  check: exportsMap,
};

function exportsMap(repo: Repo): readonly Offence[] {
  const found: Offence[] = [];
  const add = (what: string) => found.push({ path: manifestPath, what });
  const read = (repo.json(manifestPath) ?? {}) as { exports?: Record<string, Targets>; bin?: Record<string, string> };
  for (const [subpath, targets] of Object.entries(read.exports ?? {})) {
    if (typeof targets === "string") {
      if (!repo.get(`packages/millrace/${targets.slice(2)}`)) add(`${subpath} names ${targets}, which does not exist`);
      continue;
    }
    const folder = subpath === "." ? "" : `${subpath.slice(2)}/`;
    if (targets.types !== `./dist/${folder}index.d.ts`) add(`${subpath} has types ${targets.types}`);
    if (targets.default !== `./dist/${folder}index.js`) add(`${subpath} has default ${targets.default}`);
    if (!repo.get(`${product}${folder}index.ts`)) add(`${subpath} has no door ${product}${folder}index.ts`);
  }
  for (const target of Object.values(read.bin ?? {})) {
    // A command that npm links before the build stands beside dist/, as it is.
    const built = target.startsWith("./dist/");
    const source = built
      ? target.replace(/^\.\/dist\//, product).replace(/\.js$/, ".ts")
      : `packages/millrace/${target.slice(2)}`;
    if (!repo.get(source)) add(`bin ${target} has no source ${source}`);
  }
  for (const door of repo.get(manifestPath) ? doorsOf(repo) : []) {
    const folder = door.path.slice(product.length, -"/index.ts".length);
    const subpath = door.path === `${product}index.ts` ? "." : `./${folder}`;
    if (read.exports?.[subpath] === undefined) add(`${door.path} is a door without a subpath`);
  }
  return found;
}
