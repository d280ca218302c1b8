import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, it } from "vitest";
import { openDatabase } from "../embedded/sqlite.js";
import { seededRandom } from "../runtime/random.js";
import { endLives, live } from "../testing/trial-lives.js";

const program = fileURLToPath(new URL("../../dist/app/crash-process.js", import.meta.url));
const kills = 20;
const seed = Number(process.env.CRASH_SEED ?? Math.floor(performance.timeOrigin));

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "millrace-crash-"));
  console.log(`crash: seed ${seed} (set CRASH_SEED to repeat it)`);
});

afterEach(() => {
  endLives();
  rmSync(folder, { recursive: true, force: true });
});

interface Lives {
  readonly mode: "ours" | "classic";
  readonly orders: number;
  heard(n: number): void;
  /** Where the next life begins. */
  from(): number;
}

/** Twenty lives that die amid their work, each after one number at least, and then one that ends. */
async function manyLives({ mode, orders, heard, from }: Lives): Promise<void> {
  const random = seededRandom(seed);
  const once = (dieAfter?: number) =>
    live({ args: [program, mode, folder, orders, from()], dieAfter, heard: (line) => heard(Number(line)) });
  for (let round = 0; round < kills; round += 1)
    expect(await once(1 + Math.floor(random.next() * (orders / (kills + 2))))).toBe("SIGKILL");
  expect(await once()).toBeNull();
}

function rows(file: string, sql: string): readonly Record<string, number | string>[] {
  const database = openDatabase(join(folder, file), { readOnly: true });
  try {
    return database.prepare(sql).all() as Record<string, number | string>[];
  } finally {
    database.close();
  }
}

it("loses, doubles and reorders nothing when the process is killed 20 times in the middle of 5,000 orders", async () => {
  const orders = 5_000;
  const acknowledged = new Set<number>();
  // What was acknowledged without a gap need not be sent again; the rest is, under the ids it had.
  const from = () => {
    let n = 1;
    while (acknowledged.has(n)) n += 1;
    return n;
  };
  await manyLives({ mode: "ours", orders, heard: (n) => acknowledged.add(n), from });
  expect(acknowledged.size).toBe(orders);

  const wanted = Array.from({ length: orders }, (_, index) => index + 1);
  for (const table of ["handled", "booked"]) {
    const found = rows("millrace.db", `SELECT customer, n FROM ${table} ORDER BY seq`);
    // Once each: neither lost nor doubled.
    expect(found.map((row) => Number(row.n)).sort((a, b) => a - b)).toEqual(wanted);
    const last = new Map<unknown, number>();
    for (const { customer, n } of found) {
      expect(Number(n)).toBeGreaterThan(last.get(customer) ?? 0);
      last.set(customer, Number(n));
    }
  }
  // The documents say the same as the rows.
  const accounts = rows("millrace.db", "SELECT data FROM mr_documents").map(
    (row) => JSON.parse(String(row.data)) as { count: number },
  );
  expect(accounts.reduce((sum, account) => sum + account.count, 0)).toBe(orders);
}, 180_000);

it("does lose events where a consumer marks them as processed before it handles them", async () => {
  const orders = 4_000;
  await manyLives({ mode: "classic", orders, heard: () => {}, from: () => 1 });
  const [handled] = rows("classic.db", "SELECT count(DISTINCT n) AS n FROM handled");
  console.log(`crash: marking first lost ${orders - Number(handled?.n)} of ${orders} events in ${kills} kills`);
  expect(Number(handled?.n)).toBeLessThan(orders);
}, 180_000);
