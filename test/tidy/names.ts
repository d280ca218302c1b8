import ts from "typescript";
import { walk } from "./ast.js";
import type { SourceFile } from "./repo.js";
import { type Offence, offence, type Rule } from "./rule.js";

const kebab = /^[a-z0-9]+(-[a-z0-9]+)*(\.[a-z0-9]+)*$/;
const forbiddenFolders = new Set(["utils", "util", "types", "helpers", "interfaces", "services", "common", "misc"]);

export const fileNameRule: Rule = {
  name: "file and folder names are kebab-case",
  fix: "rename it in lower case with dashes, spelled like the main thing it exports",
  bad: [{ "bench/src/hotKey.ts": "" }, { "bench/src/hot_key.ts": "" }, { "bench/src/HotKey/a.ts": "" }],
  good: [{ "bench/src/hot-key.test.ts": "", "test/tidy/sizes.ts": "" }],
  check: (repo) =>
    repo.code
      .filter((file) => !file.path.split("/").every((part) => kebab.test(part)))
      .map((file) => ({ path: file.path, what: "is not kebab-case" })),
};

export const folderNameRule: Rule = {
  name: "folders are concepts, not kinds of code",
  fix: "put the file beside its user, or in the folder of the concept that it belongs to",
  bad: [{ "packages/millrace/src/utils/a.ts": "" }, { "examples/shop/src/services/a.ts": "" }],
  // Those of an operating system are a concept.
  good: [{ "packages/millrace/src/service/a.ts": "", "tools/services/postgres.ts": "" }],
  check: (repo) =>
    repo.code.flatMap((file) => {
      if (file.path.startsWith("tools/services/")) return [];
      const folder = file.path.split("/").find((part) => forbiddenFolders.has(part));
      return folder === undefined ? [] : [{ path: file.path, what: `is in a folder named ${folder}` }];
    }),
};

/** Names that say nothing: every type is an interface or an implementation, holds data and helps somebody. */
const emptyWords = [/^I[A-Z][a-z]/, /(Impl|Manager|Helper|Helpers|Base|Data|Info)$/, /^(Base|Abstract)[A-Z]/];

export const typeNameRule: Rule = {
  name: "type names say what the thing is",
  fix: "use the word of the vocabulary (ARCHITECTURE.md); no I prefix, no Impl, Manager, Helper, Base, Data, Info",
  bad: [
    { "bench/src/a.ts": "interface IStore {}" },
    { "bench/src/a.ts": "class LaneManager {}" },
    { "bench/src/a.ts": "type EventData = string;" },
    { "bench/src/a.ts": "class BaseLog {}" },
  ],
  good: [
    { "bench/src/a.ts": "interface Identity {}\nclass Database {}\ntype Metadata = 1;\ninterface Id {}\ntype IO = 1;" },
  ],
  check: (repo) => repo.code.flatMap(emptyNames),
};

function emptyNames(file: SourceFile): readonly Offence[] {
  const found: Offence[] = [];
  walk(file.ast, (node) => {
    if (!ts.isClassDeclaration(node) && !ts.isInterfaceDeclaration(node) && !ts.isTypeAliasDeclaration(node)) return;
    const name = node.name?.text;
    if (name !== undefined && emptyWords.some((word) => word.test(name))) {
      found.push(offence(file, node.getStart(file.ast), `declares ${name}`));
    }
  });
  return found;
}
