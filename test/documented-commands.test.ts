import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { root } from "./tidy/repo.js";

const bin = join(root, "packages/millrace/bin/millrace.js");

/** The commands under these words. */
function commandsOf(...words: readonly string[]): readonly string[] {
  const help = execFileSync(process.execPath, [bin, ...words, "--help"], { encoding: "utf8" });
  const listed = help.split("\nCommands:\n")[1]?.split("\n\n")[0] ?? "";
  return [...listed.matchAll(/^ {2}([a-z][a-z-]*)/gm)].map(([, name]) => name as string);
}

/** What a page tells people to run, as words after `millrace`. */
function named(page: string): readonly (readonly string[])[] {
  const told = page.matchAll(/(?:`|npx |\$ )millrace ([a-z][a-z-]+)(?: ([a-z][a-z-]+))?(?=[ `\n])/g);
  return [...told].map(([, ...words]) => words.filter((word) => word !== undefined));
}

it("the documentation names commands that exist", () => {
  const folder = join(root, "docs");
  const files = readdirSync(folder).filter((file) => file.endsWith(".md"));
  const known = commandsOf();
  const under = new Map<string, readonly string[]>();
  const unknown: string[] = [];
  for (const file of files)
    for (const [first = "", second] of named(readFileSync(join(folder, file), "utf8"))) {
      if (known.includes(first) && !under.has(first)) under.set(first, commandsOf(first));
      const inner = under.get(first) ?? [];
      const isWrong = !known.includes(first) || (second !== undefined && inner.length > 0 && !inner.includes(second));
      if (isWrong) unknown.push(`${file}: millrace ${first} ${second ?? ""}`);
    }
  expect(known).toContain("consumers");
  expect(unknown).toEqual([]);
}, 60_000);
