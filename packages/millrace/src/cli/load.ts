import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { extname, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { type App, declarations } from "../app/app.js";
import { Failure } from "../failure/failure.js";
import type { ServiceDeclaration } from "../service/service.js";

/** What a module exports to be started. */
export type StartableApp = Pick<App, "start" | "stop" | "closed"> & {
  readonly url?: string | undefined;
  readonly [declarations]?: readonly ServiceDeclaration[];
};

/**
 * The file that holds the app: as given, or the one that `millrace.app` in package.json names.
 *
 * @throws {Failure} OPTION_INVALID when none is named; NOT_FOUND when it is not there.
 */
export async function appFile(given: string | undefined): Promise<string> {
  const file = given ?? (await fileOfPackage());
  if (file === undefined) {
    throw new Failure(
      "OPTION_INVALID",
      'name the file that exports `app`, or put it into package.json: "millrace": { "app": "./dist/main.js" }',
      {
        details: { option: "file" },
      },
    );
  }
  const path = resolve(file);
  if (!existsSync(path))
    throw new Failure("NOT_FOUND", `there is no file ${path}; name the module that exports \`app\``);
  return path;
}

async function fileOfPackage(): Promise<string | undefined> {
  if (!existsSync("package.json")) return undefined;
  try {
    const manifest = JSON.parse(await readFile("package.json", "utf8")) as { millrace?: { app?: unknown } };
    return typeof manifest.millrace?.app === "string" ? manifest.millrace.app : undefined;
  } catch (cause) {
    throw new Failure("OPTION_INVALID", "package.json is not JSON; mend it, or name the file", {
      cause,
      details: { option: "file" },
    });
  }
}

/**
 * Imports the module and takes its `app`.
 *
 * @throws {Failure} OPTION_INVALID when it is TypeScript that nothing here can run, or does not export an app.
 */
export async function loadApp(path: string): Promise<StartableApp> {
  if (/^\.[cm]?tsx?$/.test(extname(path))) await readyForTypeScript(path);
  const module = (await import(pathToFileURL(path).href)) as { readonly app?: Partial<StartableApp> };
  const { app } = module;
  if (typeof app?.start === "function" && typeof app.stop === "function") return app as StartableApp;
  throw new Failure(
    "OPTION_INVALID",
    `${path} does not export \`app\`; write: export const app = millrace({ services: [ … ] })`,
    {
      details: { option: "file" },
    },
  );
}

/** Node strips types itself from 22.18 on; before, tsx does, when the user's project has it. */
async function readyForTypeScript(path: string): Promise<void> {
  const features = process.features as { readonly typescript?: unknown };
  if (features.typescript !== undefined && features.typescript !== false) return;
  let tsx: string;
  try {
    tsx = createRequire(path).resolve("tsx/esm/api");
  } catch (cause) {
    throw new Failure(
      "OPTION_INVALID",
      `${path} is TypeScript, which Node ${process.versions.node} does not run by itself; compile it and name the .js file, or: npm i -D tsx`,
      { cause, details: { option: "file" } },
    );
  }
  const { register } = (await import(pathToFileURL(tsx).href)) as { register(): unknown };
  register();
}
