import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { frozenFile } from "./faults-freezing.js";
import type { Program } from "./trial-members.js";

/** Where processes have frozen so far. */
export function points(dir: string): readonly string[] {
  const file = join(dir, frozenFile);
  if (!existsSync(file)) return [];
  // What follows the last line break is being written just now.
  const lines = readFileSync(file, "utf8").split("\n").slice(0, -1);
  return lines.map((line) => (JSON.parse(line) as { point: string }).point);
}

/** Resolves when the process stands still; meanwhile another one is asked something. */
export async function stopped({ child }: Pick<Program, "child">, ask: () => Promise<unknown>): Promise<void> {
  const state = () => spawnSync("ps", ["-o", "state=", "-p", String(child.pid)], { encoding: "utf8" }).stdout;
  while (!state().startsWith("T")) await ask();
}
