import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { openReadOnly } from "../embedded/read-only.js";
import { openDatabase } from "../embedded/sqlite.js";
import { Trial } from "./trial.js";
import { heldFile, holdFile, keyCount } from "./trial-held.js";

let trial: Trial;
beforeEach(() => {
  trial = new Trial();
});
afterEach(() => trial.remove());

const module = fileURLToPath(new URL("./trial-held.js", import.meta.url));
const eventually = <T>(condition: () => T): Promise<T> => vi.waitFor(condition, { timeout: 15_000, interval: 20 });

/** What is in the file, seen by nobody's eyes but the test's. */
async function look() {
  const { inspect, close } = openReadOnly(trial.dir);
  try {
    const { events } = await inspect.events({ type: "echo.heard", limit: 1_000 });
    const stepping = (await inspect.consumers(0)).find(({ consumer }) => consumer === "stepping");
    const seeks = (await inspect.audit(100)).filter(({ act }) => act === "seek");
    const database = openDatabase(join(trial.dir, "millrace.db"), { readOnly: true });
    const rows = database.prepare("SELECT data FROM mr_documents").all() as { data: string }[];
    database.close();
    const counts = rows.map(({ data }) => (JSON.parse(data) as { n: number }).n);
    return { counts, echoes: events.map(({ key, data }) => `${key} ${(data as { n: number }).n}`), stepping, seeks };
  } finally {
    close();
  }
}

const keys = Array.from({ length: keyCount }, (_, n) => `k${n}`);
/** How often each key's event of each round has been published about. */
const tally = (echoes: readonly string[]) =>
  [1, 2, 3].map((n) => [...new Set(keys.map((key) => echoes.filter((echo) => echo === `${key} ${n}`).length))]);

/** Which process holds which keys' events of the second round up. */
function held(): ReadonlyMap<string, number> {
  const file = join(trial.dir, heldFile);
  const lines = existsSync(file) ? readFileSync(file, "utf8").split("\n").slice(0, -1) : [];
  const pids = new Map<string, number>();
  for (const line of lines) {
    const pid = line.split(" ")[0] as string;
    pids.set(pid, (pids.get(pid) ?? 0) + 1);
  }
  return pids;
}

async function sow(n: number): Promise<void> {
  expect(await trial.run("publish", "sow", JSON.stringify({ field: "north", n }))).toMatchObject({ code: 0 });
}

it.each([
  ["", [], [[2], [1], [1]]],
  [", muted,", ["--mute"], [[1], [1], [1]]],
])(
  "a seek%s by the command line, while handlers of two processes are under way, takes effect once in both, and both go on",
  async (_, mute, expected) => {
    const start = () => trial.spawn({ cwd: trial.dir, env: { TRIAL_DIR: trial.dir } }, "start", module);
    const both = [start(), start()];
    for (const one of both) await one.said("ready");
    await sow(1);
    await eventually(async () => expect((await look()).echoes).toHaveLength(keyCount));
    // Both have two of the partitions by now, and each holds up its part of the second round.
    writeFileSync(join(trial.dir, holdFile), "");
    await sow(2);
    await eventually(() => expect([...held().values()].reduce((a, b) => a + b, 0)).toBe(keyCount));
    expect(held().size).toBe(2);

    const seek = ["consumers", "seek", "stepping", "--to", "beginning", ...mute];
    const preview = await trial.run(...seek, "--dry-run");
    expect(preview.stderr).toContain(`would handle ${keyCount} events again`);
    expect(await trial.run(...seek, "--reason", "a wrong sum", "--yes")).toMatchObject({ code: 0 });
    // The first round is handled again meanwhile, in both; then all that is held up ends, of both generations.
    await eventually(() => expect([...held().values()].reduce((a, b) => a + b, 0)).toBe(2 * keyCount));
    rmSync(join(trial.dir, holdFile));
    await sow(3);
    // Documents have the first round twice, also muted.
    const four = keys.map(() => 4);
    await eventually(async () => expect((await look()).counts).toEqual(four));
    await eventually(async () => expect((await look()).stepping?.lagRecords).toBe(0));

    const { counts, echoes, stepping, seeks } = await look();
    expect(counts).toEqual(four);
    expect(tally(echoes)).toEqual(expected);
    expect(stepping?.positions.map(({ generation }) => generation)).toEqual([2, 2, 2, 2]);
    expect([stepping?.parked, stepping?.dead, stepping?.lagRecords]).toEqual([0, 0, 0]);
    expect(seeks).toHaveLength(1);
    for (const one of both) expect(await one.end()).toBe(0);
  },
  180_000,
);
