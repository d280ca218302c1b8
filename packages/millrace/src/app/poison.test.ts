import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, it } from "vitest";
import { openDatabase } from "../embedded/sqlite.js";
import { seededRandom } from "../runtime/random.js";
import { endLives, live } from "../testing/trial-lives.js";

const program = fileURLToPath(new URL("../../dist/app/poison-process.js", import.meta.url));
const events = 200;
const keys = 20;
const poison = 57;
const livesMax = 12;
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "millrace-poison-"));
});
afterEach(() => {
  endLives();
  rmSync(folder, { recursive: true, force: true });
});

/** One life of the program, which dies after so many lines. True when it ended in order. */
async function life(mode: string, dieAfter?: number): Promise<boolean> {
  const stderr = mode === "abort" ? "ignore" : "inherit";
  return (await live({ args: [program, folder, events, mode], dieAfter, stderr })) === null;
}

function rows(sql: string): readonly Record<string, unknown>[] {
  const database = openDatabase(join(folder, "millrace.db"), { readOnly: true });
  try {
    return database.prepare(sql).all() as Record<string, unknown>[];
  } finally {
    database.close();
  }
}

/** Every event but those given was handled once, in order within its key. */
function handledOnce(table: string, but: (n: number) => boolean): void {
  const found = rows(`SELECT key, n FROM ${table} ORDER BY seq`).map(({ n }) => Number(n));
  const wanted = Array.from({ length: events }, (_, n) => n).filter((n) => !but(n));
  expect([...found].sort((a, b) => a - b)).toEqual(wanted);
  const last = new Map<number, number>();
  for (const n of found) {
    expect(n).toBeGreaterThan(last.get(n % keys) ?? -1);
    last.set(n % keys, n);
  }
}

it.each(["abort", "kill"])(
  "an event whose handler kills the process (%s) is found, and dead after a few restarts; all others are handled once",
  async (mode) => {
    let lives = 1;
    while (!(await life(mode))) {
      lives += 1;
      expect(lives).toBeLessThanOrEqual(livesMax);
    }
    console.log(`poison: ${mode} was a dead letter after ${lives - 1} deaths`);
    const entries = rows("SELECT consumer, state, failure, record FROM mr_lane_entries ORDER BY entry");
    const [head, ...behind] = entries;
    expect(head).toMatchObject({ consumer: "working", state: "dead" });
    expect(JSON.parse(String(head?.failure))).toMatchObject({ code: "PROCESS_DIED" });
    expect(String(head?.record)).toContain(`"n":${poison}`);
    // Its lane is held: what came later of the key waits.
    const held = (n: number) => n % keys === poison % keys && n >= poison;
    expect(behind.map(({ state }) => state)).toEqual(new Array(7).fill("following"));
    handledOnce("done", held);
    handledOnce("beside", () => false);
    // Two crashes with everything under way, and three alone.
    expect(lives - 1).toBe(5);
  },
  60_000,
);

/** Processes side by side on the folder; each that dies is started again. */
class Supervised {
  deaths = 0;
  #stopping = false;
  readonly #children = new Map<number, ChildProcess>();
  readonly #ends: Promise<void>[];

  constructor(count: number) {
    this.#ends = Array.from({ length: count }, (_, index) => this.#keep(index));
  }

  async #keep(index: number): Promise<void> {
    while (!this.#stopping) {
      const args = [program, folder, String(events), "abort", "stay"];
      const child = spawn(process.execPath, args, { stdio: ["pipe", "ignore", "ignore"] });
      this.#children.set(index, child);
      const [code, signal] = (await once(child, "exit")) as [number | null, string | null];
      if (signal === null) {
        expect(code).toBe(0);
        return;
      }
      this.deaths += 1;
      expect(this.deaths).toBeLessThanOrEqual(livesMax);
    }
  }

  /** Resolves when the file is as `done` says. */
  async until(done: () => boolean): Promise<void> {
    const ended = Promise.all(this.#ends).then(() => true);
    while (!done()) if (await Promise.race([ended, new Promise((resolve) => setImmediate(resolve, false))])) break;
    expect(done()).toBe(true);
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    for (const child of this.#children.values()) child.stdin?.end();
    await Promise.all(this.#ends);
  }
}

it("an event that kills one process after another is found by those that are alive, and nothing innocent is charged", async () => {
  expect(await life("innocent", 1)).toBe(false);
  const held = (n: number) => n % keys === poison % keys && n >= poison;
  const innocent = Array.from({ length: events }, (_, n) => n).filter((n) => !held(n)).length;
  const processes = new Supervised(3);
  const count = (sql: string) => Number(rows(sql)[0]?.n);
  await processes.until(
    () =>
      count("SELECT count(*) AS n FROM mr_lane_entries WHERE state = 'dead'") > 0 &&
      count("SELECT count(*) AS n FROM done") === innocent &&
      count("SELECT count(*) AS n FROM beside") === events,
  );
  await processes.stop();
  // Two with everything under way, and three alone; a few more when a process joins or ends in between.
  expect(processes.deaths).toBeLessThanOrEqual(8);
  console.log(`poison: a dead letter after ${processes.deaths} deaths of three processes`);
  const [head, ...behind] = rows("SELECT consumer, state, failure, record FROM mr_lane_entries ORDER BY entry");
  expect(head).toMatchObject({ consumer: "working", state: "dead" });
  expect(JSON.parse(String(head?.failure))).toMatchObject({ code: "PROCESS_DIED", crashes: 3 });
  expect(String(head?.record)).toContain(`"n":${poison}`);
  expect(behind.map(({ state }) => state)).toEqual(new Array(7).fill("following"));
  handledOnce("done", held);
  handledOnce("beside", () => false);
}, 60_000);

it("ten kills of an innocent process make no dead letter", async () => {
  const seed = Number(process.env.CRASH_SEED ?? Math.floor(performance.timeOrigin));
  console.log(`poison: seed ${seed} (set CRASH_SEED to repeat it)`);
  const random = seededRandom(seed);
  for (let kill = 0; kill < 10; kill += 1)
    expect(await life("innocent", 1 + Math.floor(random.next() * 12))).toBe(false);
  expect(await life("innocent")).toBe(true);
  expect(rows("SELECT * FROM mr_lane_entries")).toEqual([]);
  expect(rows("SELECT DISTINCT crashes FROM mr_positions")).toEqual([{ crashes: 0 }]);
  for (const table of ["done", "beside"]) handledOnce(table, () => false);
}, 60_000);
