import { importsOf, resolveRelative } from "./ast.js";
import { folderOf, product, type Repo, type SourceFile } from "./repo.js";
import { type Offence, offence, type Rule } from "./rule.js";

/** The layers of ARCHITECTURE.md, lowest first; inside a layer, a folder may also import those named before it. */
const layers: readonly (readonly string[])[] = [
  ["failure", "runtime"],
  ["contract"],
  ["log", "store", "engine"],
  ["embedded", "kafka", "postgres", "rabbitmq", "eventbridge"],
  ["consumer", "outbox"],
  ["aggregate", "projection", "stream"],
  ["saga", "agent"],
  ["service", "app"],
  ["http", "admin", "observe", "testing", "migrate", "deploy"],
  ["main", "cli"],
];
const adapterLayer = 3;

export function layerOf(path: string): number | undefined {
  const found = layers.findIndex((folders) => folders.includes(folderOf(path)));
  return found === -1 ? undefined : found;
}

function isDoor(file: SourceFile): boolean {
  return file.path.endsWith("/index.ts");
}

function mayImport(from: string, to: string): boolean {
  const [fromLayer, toLayer] = [layerOf(from), layerOf(to)];
  if (folderOf(from) === folderOf(to)) return true;
  if (fromLayer === undefined || toLayer === undefined) return false;
  if (fromLayer !== toLayer) return toLayer < fromLayer;
  if (fromLayer === adapterLayer) return false;
  const siblings = layers[fromLayer] ?? [];
  return siblings.indexOf(folderOf(to)) < siblings.indexOf(folderOf(from));
}

function upwardImports(file: SourceFile): readonly Offence[] {
  return importsOf(file).flatMap(({ specifier, position }) => {
    if (specifier === "millrace" || specifier.startsWith("millrace/")) {
      return [offence(file, position, `imports its own package by name (${specifier})`)];
    }
    const target = resolveRelative(file.path, specifier);
    if (target?.startsWith(product) !== true || mayImport(file.path, target)) return [];
    const where = `${folderOf(file.path)} (layer ${layerOf(file.path) ?? "?"})`;
    return [offence(file, position, `${where} imports ${folderOf(target)} (layer ${layerOf(target) ?? "?"})`)];
  });
}

export const layerRule: Rule = {
  name: "imports go down the layers",
  fix: "move the shared part to a lower layer, or pass it in as a parameter (a port); the list is in test/tidy/layers.ts",
  bad: [
    { [`${product}log/log.ts`]: 'import { run } from "../consumer/run.js";' },
    { [`${product}kafka/log.ts`]: 'import { open } from "../embedded/open.js";' },
    { [`${product}log/log.ts`]: 'export type T = import("../engine/engine.js").Engine;' },
    { [`${product}consumer/run.ts`]: 'const { app } = await import("../app/app.js");' },
    { [`${product}http/server.ts`]: 'import { service } from "millrace";' },
  ],
  good: [
    { [`${product}consumer/run.ts`]: 'import { log } from "../log/log.js";\nimport { lane } from "./lane.js";' },
    {
      [`${product}engine/engine.ts`]:
        'import { log } from "../log/log.js";\nimport { store } from "../store/store.js";',
    },
    { [`${product}log/log.test.ts`]: 'import { run } from "../consumer/run.js";' },
    { [`${product}kafka/index.ts`]: 'export { run } from "../consumer/run.js";' },
  ],
  check: (repo) => repo.product.filter((file) => !isDoor(file)).flatMap(upwardImports),
};

export const knownFoldersRule: Rule = {
  name: "every folder of the product has a layer",
  fix: "put the file in the folder of its concept; a new concept is added to test/tidy/layers.ts and ARCHITECTURE.md",
  bad: [{ [`${product}misc/a.ts`]: "" }, { [`${product}stray.ts`]: "" }],
  good: [{ [`${product}log/log.ts`]: "", [`${product}index.ts`]: "" }],
  check: (repo) =>
    repo.product
      .filter((file) => layerOf(file.path) === undefined && file.path !== `${product}index.ts`)
      .map((file) => ({ path: file.path, what: "stands in no layer" })),
};

function foldersInUse(repo: Repo): ReadonlySet<string> {
  const used = new Set(["cli"]);
  for (const file of repo.product) {
    if (isDoor(file) && folderOf(file.path) !== "") used.add(folderOf(file.path));
    for (const { specifier } of importsOf(file)) {
      const target = resolveRelative(file.path, specifier);
      if (target?.startsWith(product) && folderOf(target) !== folderOf(file.path)) used.add(folderOf(target));
    }
  }
  return used;
}

export const usedFoldersRule: Rule = {
  name: "no folder of the product is unused",
  fix: "import it from a higher layer, give it a door (index.ts and a subpath in the exports map), or remove it",
  bad: [{ [`${product}saga/saga.ts`]: "export const saga = 1;", [`${product}saga/step.ts`]: 'import "./saga.js";' }],
  good: [
    {
      [`${product}saga/saga.ts`]: "",
      [`${product}service/service.ts`]: 'import "../saga/saga.js";',
      [`${product}index.ts`]: 'export * from "./service/service.js";',
    },
  ],
  check(repo) {
    const used = foldersInUse(repo);
    const folders = new Set(repo.product.map((file) => folderOf(file.path)).filter((folder) => folder !== ""));
    return [...folders]
      .filter((folder) => !used.has(folder))
      .map((folder) => ({ path: product + folder, what: "nothing outside of it imports it, and it has no door" }));
  },
};
