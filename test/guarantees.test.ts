import { existsSync, readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { root } from "./tidy/repo.js";

const row = /^\| (F\d+) .*\| `([^`]+)` \| (.+) \|$/gm;

it("each promise of docs/guarantees.md names a test that exists", () => {
  const page = readFileSync(`${root}/docs/guarantees.md`, "utf8");
  const rows = [...page.matchAll(row)];
  const all = Array.from({ length: 23 }, (_, n) => `F${n + 1}`);
  expect([...new Set(rows.map(([, name]) => name))]).toEqual(all);
  for (const [, name, file, title] of rows) {
    const path = `${root}/packages/millrace/src/${file}`;
    expect(existsSync(path), `${name}: ${file} exists`).toBe(true);
    expect(readFileSync(path, "utf8"), `${name}: ${file} has the test`).toContain(title as string);
  }
  expect(existsSync(`${root}/chaos/src/chaos.test.ts`)).toBe(true);
});
