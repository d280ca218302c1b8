import ts from "typescript";
import { walk } from "./ast.js";
import { isTest, type Repo, type SourceFile } from "./repo.js";
import { type Offence, offence, type Rule } from "./rule.js";

const linesToAsk = 300;
const linesMax = 500;
const functionLinesMax = 70;
const ratchetPath = "test/tidy-ratchet.json";
/** How far a file may shrink below its entry before the entry has to follow. */
const slackLines = 10;

interface Entry {
  readonly lines: number;
  readonly why: string;
}

const filler = (lines: number) => "\n".repeat(lines);
const ratchet = (entry: Record<string, Entry>) => JSON.stringify(entry);

export const fileSizeRule: Rule = {
  name: `files stop at ${linesMax} lines`,
  fix: "find the second concept in the file and give it a file of its own",
  bad: [{ "bench/src/a.ts": filler(linesMax + 1) }, { "bench/src/a.test.ts": filler(linesMax + 1) }],
  good: [{ "bench/src/a.ts": filler(linesMax) }],
  check: (repo) =>
    repo.code
      .filter((file) => file.lines > linesMax)
      .map((file) => ({ path: file.path, what: `has ${file.lines} lines` })),
};

export const ratchetRule: Rule = {
  name: `files over ${linesToAsk} lines are asked about and only shrink`,
  fix: `split the file; if one file really reads better, add {"path": {"lines": N, "why": "…"}} to ${ratchetPath}, and lower N as it shrinks`,
  bad: [
    { "bench/src/a.ts": filler(301), [ratchetPath]: "{}" },
    { "bench/src/a.ts": filler(320), [ratchetPath]: ratchet({ "bench/src/a.ts": { lines: 310, why: "one table" } }) },
    { "bench/src/a.ts": filler(305), [ratchetPath]: ratchet({ "bench/src/a.ts": { lines: 350, why: "one table" } }) },
    { "bench/src/a.ts": filler(305), [ratchetPath]: ratchet({ "bench/src/a.ts": { lines: 305, why: "" } }) },
    { "bench/src/a.ts": filler(12), [ratchetPath]: ratchet({ "bench/src/a.ts": { lines: 305, why: "one table" } }) },
    { [ratchetPath]: ratchet({ "bench/src/gone.ts": { lines: 305, why: "one table" } }) },
  ],
  good: [
    { "bench/src/a.ts": filler(300), "bench/src/a.test.ts": filler(301), [ratchetPath]: "{}" },
    { "bench/src/a.ts": filler(305), [ratchetPath]: ratchet({ "bench/src/a.ts": { lines: 306, why: "one table" } }) },
  ],
  check: checkRatchet,
};

function checkRatchet(repo: Repo): readonly Offence[] {
  const entries = (repo.json(ratchetPath) ?? {}) as Readonly<Record<string, Entry>>;
  const large = repo.code.filter((file) => file.lines > linesToAsk && !isTest(file));
  const grown = large.flatMap((file) => {
    const entry = entries[file.path];
    if (entry === undefined) return [{ path: file.path, what: `has ${file.lines} lines and no entry` }];
    return file.lines > entry.lines ? [{ path: file.path, what: `grew from ${entry.lines} to ${file.lines}` }] : [];
  });
  const stale = Object.entries(entries).flatMap(([path, entry]) => {
    const file = large.find((candidate) => candidate.path === path);
    if (file === undefined) return [{ path: ratchetPath, what: `the entry of ${path} is needed no longer` }];
    if (entry.why.trim() === "") return [{ path: ratchetPath, what: `the entry of ${path} gives no reason` }];
    const low = file.lines + slackLines < entry.lines;
    return low ? [{ path: ratchetPath, what: `${path} has ${file.lines} lines, its entry ${entry.lines}` }] : [];
  });
  return [...grown, ...stale];
}

export const functionSizeRule: Rule = {
  name: `functions stop at ${functionLinesMax} lines`,
  fix: "name a part of it and make that a function; a long table belongs in a constant",
  bad: [
    { "bench/src/a.ts": `function f() {${filler(functionLinesMax)}}` },
    { "bench/src/a.ts": `class A { method() {${filler(functionLinesMax)}} }` },
    { "bench/src/a.ts": `const f = () => {${filler(functionLinesMax)}};` },
  ],
  good: [
    { "bench/src/a.ts": `function f() {${filler(functionLinesMax - 1)}}` },
    { "bench/src/a.test.ts": `describe("a", () => {${filler(functionLinesMax)}});` },
    { "bench/src/a.ts": `/** ${filler(functionLinesMax)} */\nfunction f() {}` },
  ],
  check: (repo) => repo.code.filter((file) => !isTest(file)).flatMap(longFunctions),
};

function longFunctions(file: SourceFile): readonly Offence[] {
  const found: Offence[] = [];
  walk(file.ast, (node) => {
    if (!ts.isFunctionLike(node)) return;
    const lines = file.lineAt(node.getEnd()) - file.lineAt(node.getStart(file.ast)) + 1;
    const hasBody = "body" in node && node.body !== undefined;
    if (hasBody && lines > functionLinesMax) {
      const name = node.name?.getText(file.ast) ?? "a function without a name";
      found.push(offence(file, node.getStart(file.ast), `${name} has ${lines} lines`));
    }
  });
  return found;
}
