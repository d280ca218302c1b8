import { createRequire } from "node:module";
import { dirname, join } from "node:path";

/** The command line of the package, as its users have it. */
export const cli = join(
  dirname(createRequire(import.meta.url).resolve("millrace/package.json")),
  "dist",
  "cli",
  "main.js",
);
