import { pathToFileURL } from "node:url";
import { root } from "./tidy/repo.js";

const source = `${root}/packages/millrace/src`;
const built = `${root}/packages/millrace/dist`;
const starts = /new Worker\(|\bfork\(|\bspawn\(/;

/**
 * A vite plugin that points files that start workers or processes at the built output.
 *
 * `new Worker(new URL("./x-worker.js", import.meta.url))` is right in dist/, where x-worker.js is; under vitest
 * `import.meta.url` is the file in src/, where only x-worker.ts is. `npm test` builds before it runs the tests.
 */
export const workersFromBuild = {
  name: "workers-from-build",
  enforce: "pre" as const,
  transform(code: string, id: string): { readonly code: string; readonly map: null } | undefined {
    const file = id.split("?")[0] ?? id;
    if (!file.startsWith(`${source}/`) || !starts.test(code)) return undefined;
    const output = `${built}${file.slice(source.length)}`.replace(/\.ts$/, ".js");
    return { code: code.replaceAll("import.meta.url", JSON.stringify(pathToFileURL(output).href)), map: null };
  },
};
