import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, it } from "vitest";
import { openDatabase } from "../embedded/sqlite.js";
import { seededRandom } from "../runtime/random.js";

const program = fileURLToPath(new URL("../../dist/app/flow-process.js", import.meta.url));
const kills = 20;
const events = 4_000;
const seed = Number(process.env.CRASH_SEED ?? Math.floor(performance.timeOrigin));

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "millrace-flow-"));
  console.log(`flow crash: seed ${seed} (set CRASH_SEED to repeat it)`);
});

afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

/** Runs the program once, and kills it when it has written so many lines. */
async function life(from: number, lines: number, heard: (n: number) => void): Promise<boolean> {
  const child = spawn(process.execPath, [program, folder, String(events), String(from)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const exited = once(child, "exit") as Promise<[number | null, string | null]>;
  let count = 0;
  for await (const line of createInterface({ input: child.stdout })) {
    heard(Number(line));
    count += 1;
    if (count === lines) child.kill("SIGKILL");
  }
  const [code, signal] = await exited;
  if (signal !== "SIGKILL") expect(code).toBe(0);
  return signal === "SIGKILL";
}

function rows(sql: string): readonly Record<string, number | string>[] {
  const database = openDatabase(join(folder, "millrace.db"), { readOnly: true });
  try {
    return database.prepare(sql).all() as Record<string, number | string>[];
  } finally {
    database.close();
  }
}

it("handles the last event of each key, and none twice or out of order, when the process is killed 20 times", async () => {
  const acknowledged = new Set<number>();
  const from = () => {
    let n = 1;
    while (acknowledged.has(n)) n += 1;
    return n;
  };
  const random = seededRandom(seed);
  let killed = 0;
  for (let round = 0; round < kills; round += 1) {
    const lines = 1 + Math.floor(random.next() * (events / (kills + 2)));
    if (await life(from(), lines, (n) => acknowledged.add(n))) killed += 1;
  }
  expect(await life(from(), Number.POSITIVE_INFINITY, (n) => acknowledged.add(n))).toBe(false);
  expect(killed).toBe(kills);
  expect(acknowledged.size).toBe(events);

  const newest = new Map<string, number>();
  for (let n = 1; n <= events; n += 1) newest.set(`sku-${Math.floor(n / 80)}-${n % 8}`, n);
  let runs = 0;
  for (const table of ["coalesced", "debounced"]) {
    const handled = rows(`SELECT sku, n FROM ${table} ORDER BY seq`);
    const last = new Map<string, number>();
    for (const { sku, n } of handled) {
      expect(Number(n)).toBeGreaterThan(last.get(String(sku)) ?? 0);
      last.set(String(sku), Number(n));
    }
    expect(last).toEqual(newest);
    console.log(`flow crash: ${table} handled ${handled.length} of ${events} events`);
    expect(handled.length).toBeLessThan(events);
    runs += handled.length;
  }
  // The documents say the same as the rows: no run took effect twice.
  const shown = rows("SELECT data FROM mr_documents").map(({ data }) => JSON.parse(String(data)) as { shown: number });
  expect(shown.reduce((sum, one) => sum + one.shown, 0)).toBe(runs);
}, 180_000);
