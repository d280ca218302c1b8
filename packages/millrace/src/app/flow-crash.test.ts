import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, it } from "vitest";
import { openDatabase } from "../embedded/sqlite.js";
import { seededRandom } from "../runtime/random.js";
import { endLives, live } from "../testing/trial-lives.js";

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
  endLives();
  rmSync(folder, { recursive: true, force: true });
});

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
  const once = (dieAfter?: number) =>
    live({ args: [program, folder, events, from()], dieAfter, heard: (line) => acknowledged.add(Number(line)) });
  for (let round = 0; round < kills; round += 1)
    expect(await once(1 + Math.floor(random.next() * (events / (kills + 2))))).toBe("SIGKILL");
  expect(await once()).toBeNull();
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
