import { closeSync, openSync, readFileSync, statSync, truncateSync, writeSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { openReadOnly } from "../embedded/read-only.js";
import { isFailure } from "../failure/failure.js";
import { endTrials, tempFolder } from "../testing/trial.js";
import { handled, keyOf, keys, Program, programs } from "../testing/trial-members.js";

afterEach(async () => {
  for (const child of programs) child.kill("SIGKILL");
  programs.clear();
  await endTrials();
});

/** Changes one byte of whatever the engine has written of an event: in the file, and in its write-ahead log. */
function flip(dir: string, mark: string): number {
  let found = 0;
  for (const name of ["millrace.db", "millrace.db-wal"]) {
    const file = join(dir, name);
    const bytes = readFileSync(file);
    for (let at = bytes.indexOf(mark); at >= 0; at = bytes.indexOf(mark, at + 1)) {
      const opened = openSync(file, "r+");
      writeSync(opened, Buffer.of((bytes[at] as number) ^ 1), 0, 1, at);
      closeSync(opened);
      found += 1;
    }
  }
  return found;
}

/** Who says that the folder's file is damaged: whoever opens it, or doctor. */
async function complaint(dir: string): Promise<string> {
  try {
    const { inspect, close } = openReadOnly(dir);
    const findings = await Promise.resolve(inspect.doctor()).finally(close);
    return findings.some(({ ok }) => !ok) ? "doctor" : "nobody";
  } catch (error) {
    return isFailure(error) ? error.code : String(error);
  }
}

interface Two {
  readonly dir: string;
  readonly both: readonly [Program, Program];
}

/** Two processes that have handled 200 events; 200 more are stored, and wait as their consumer is paused. */
async function waiting(): Promise<Two> {
  const dir = tempFolder();
  const both = [await Program.start(dir), await Program.start(dir)] as const;
  const shares = async () => (await Promise.all(both.map((one) => one.ask({ numbers: [] })))).map((a) => a.partitions);
  while ((await shares()).join() !== "4,4") expect(programs.size).toBe(2);
  const publish = async (from: number, to: number) => {
    for (let n = from; n < to; n += 1) both[n % 2]?.publish({ key: keyOf(n), n, note: `note ${n}.` });
    await Promise.all(both.map((one) => one.ackedAtLeast(to / 2)));
  };
  await publish(0, 200);
  await handled(
    both[0],
    both.flatMap((one) => one.acked),
  );
  await both[1].ask({ turn: "pause" });
  await publish(200, 400);
  return { dir, both };
}

describe("a file that is damaged while two processes work on it", () => {
  it("by a byte stops the consumers that come to it, in all processes; the rest goes on, and nothing is lost once it is mended", async () => {
    const { dir, both } = await waiting();
    expect(flip(dir, "note 100.")).toBeGreaterThan(0);
    const third = await Program.start(dir);
    const all = [...both, third];
    await both[0].ask({ back: true });
    await both[1].ask({ turn: "resume" });
    const failures = async () => await Promise.all(all.map(async (one) => (await one.ask({ numbers: [] })).failure));
    while ((await failures()).some((failure) => failure === undefined)) expect(programs.size).toBe(3);
    expect(await failures()).toEqual(["STORE_DAMAGED", "STORE_DAMAGED", "STORE_DAMAGED"]);
    const seen = (await third.ask({ numbers: keys })).numbers ?? [];
    // Handled before, then again from the beginning, up to the block that is damaged at the most.
    for (const [index, numbers] of seen.entries()) {
      const first = Array.from({ length: 20 }, (_, n) => n * 10 + index);
      expect(numbers.slice(0, 20)).toEqual(first);
      expect(numbers.slice(20)).toEqual(first.slice(0, numbers.length - 20));
      expect(Math.max(...numbers.slice(20), -1)).toBeLessThan(100);
    }
    for (let n = 400; n < 430; n += 1) all[n % 3]?.publish({ key: keyOf(n), n });
    await Promise.all(all.map((one, index) => one.ackedAtLeast(index === 2 ? 10 : 210)));
    expect(all.flatMap(({ refused }) => refused)).toEqual([]);

    for (const one of all) await one.kill();
    // As a backup would have it.
    expect(flip(dir, "oote 100.")).toBeGreaterThan(0);
    const mended = await Program.start(dir);
    const acked = all.flatMap((one) => one.acked);
    expect(acked).toHaveLength(430);
    const found = await handled(mended, acked);
    for (const numbers of found.values()) expect(numbers.slice(20)).toEqual([...new Set(numbers)]);
  }, 120_000);

  it("by being cut off refuses who comes next, or is told by doctor: it is never read as if nothing were missing", async () => {
    const { dir, both } = await waiting();
    const file = join(dir, "millrace.db");
    truncateSync(file, Math.floor(statSync(file).size / 2));
    for (let n = 400; n < 440; n += 1) both[n % 2]?.publish({ key: keyOf(n), n });
    await both[1].ask({ turn: "resume" });
    await Promise.all(both.map((one) => one.answered(220)));
    for (const one of both) for (const why of one.refused) expect(why).toMatch(/damaged|cannot be written/);
    const acked = both.flatMap((one) => one.acked);
    // Whatever they could still read, they have handled in order, with no gap.
    const inLog = acked.sort((a, b) => a.offset - b.offset);
    for (const one of both) {
      const { numbers = [] } = await one.ask({ numbers: keys });
      for (const [index, of] of numbers.entries())
        expect(of).toEqual(
          inLog
            .filter(({ key }) => key === keys[index])
            .slice(0, of.length)
            .map(({ n }) => n),
        );
    }
    for (const one of both) await one.kill();
    await expect(complaint(dir)).resolves.toMatch(/STORE_DAMAGED|doctor/);
  }, 120_000);
});
