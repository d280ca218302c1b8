import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import type { FaultName } from "../testing/faults.js";
import { freezeFile } from "../testing/faults-freezing.js";
import { endTrials, tempFolder } from "../testing/trial.js";
import { points, stopped } from "../testing/trial-frozen.js";
import { expectOnceInOrder, handled, keyOf, ownerPid, Program, programs } from "../testing/trial-members.js";

afterEach(async () => {
  for (const child of programs) child.kill("SIGKILL");
  programs.clear();
  await endTrials();
});

const leaseMs = 1_000;

/** Two processes on one file, with half of the partitions in each, and leases much shorter than usual. */
async function two(dir: string, fault: readonly FaultName[] = []): Promise<readonly [owner: Program, other: Program]> {
  const faults = { freeze: dir, leaseMs, aliveMs: 200, fault };
  const both = [await Program.start(dir, faults), await Program.start(dir, faults)] as const;
  await shared(both);
  expect(both[0].child.pid).toBe(ownerPid(dir));
  return both;
}

const partitions = async (of: Program) => (await of.ask({ numbers: [] })).partitions;

async function shared(both: readonly Program[]): Promise<void> {
  for (;;) {
    const shares = await Promise.all(both.map(partitions));
    if (shares.every((share) => share === 4)) return;
  }
}

interface Freezing {
  readonly dir: string;
  readonly both: readonly [Program, Program];
  readonly victim: Program;
  /** What is waited for while it is frozen. */
  pass(): Promise<unknown>;
}

/** Publishes through both, while `victim` freezes at each point that it comes to, until it has come to no other one. */
async function freezing({ dir, both, victim, pass }: Freezing): Promise<void> {
  const other = both[0] === victim ? both[1] : both[0];
  let [n, seen, quiet] = [0, 0, 0];
  const wake = async () => {
    await stopped(victim, () => other.ask({ numbers: [] }));
    seen = points(dir).length;
    quiet = 0;
    await pass();
    victim.child.kill("SIGCONT");
  };
  writeFileSync(join(dir, freezeFile), String(victim.child.pid));
  while (quiet < 3) {
    quiet += 1;
    for (let more = 0; more < 20; more += 1, n += 1) both[n % 2]?.publish({ key: keyOf(n), n });
    while (points(dir).length > seen || both.some((one) => one.acked.length < n / 2))
      if (points(dir).length > seen) await wake();
      else await other.ask({ numbers: [] });
  }
  rmSync(join(dir, freezeFile));
  await other.ask({ rest: 100 });
  if (points(dir).length > seen) await wake();
  await shared(both);
  const all = both.flatMap((one) => one.acked);
  expect(all).toHaveLength(n);
  for (const one of both) {
    expectOnceInOrder(await handled(one, all), all);
    expect(one.refused).toEqual([]);
  }
  const numbers = all.map((one) => one.n).sort((a, b) => a - b);
  for (;;) {
    const { echoed = [] } = await other.ask({ echoed: true });
    if (new Set(echoed).size < n) continue;
    expect(
      [...echoed].sort((a, b) => a - b),
      "nothing is published twice",
    ).toEqual(numbers);
    return;
  }
}

/** The one that does not own the file freezes, until the owner has taken all partitions. */
async function overtaken(dir: string, both: readonly [Program, Program]): Promise<void> {
  const [owner, other] = both;
  const taken = async () => {
    while ((await partitions(owner)) !== 8) expect(programs.size).toBe(2);
  };
  await freezing({ dir, both, victim: other, pass: taken });
}

describe("a process that is stopped at each statement of a commit, and goes on after its lease", () => {
  it("loses, doubles and reorders nothing when it is the owner, which is not replaced", async () => {
    const dir = tempFolder();
    const both = await two(dir);
    const [owner, other] = both;
    await freezing({ dir, both, victim: owner, pass: () => other.ask({ rest: leaseMs + 200 }) });
    expect(ownerPid(dir)).toBe(owner.child.pid);
    const met = points(dir);
    const commit = ["BEGIN IMMEDIATE", "UPDATE mr_engine SET commits", "COMMIT", "after COMMIT"];
    for (const begins of commit) expect(met.some((point) => point.startsWith(begins))).toBe(true);
    for (const table of ["mr_log", "mr_documents", "mr_positions"])
      expect(met.some((point) => point.includes(table))).toBe(true);
  }, 120_000);

  it("loses, doubles and reorders nothing when the other takes its partitions meanwhile", async () => {
    const dir = tempFolder();
    await overtaken(dir, await two(dir));
    expect([...points(dir)].sort()).toEqual(["after the call", "before the call", "in the call"]);
  }, 120_000);

  it("doubles events when neither its lease nor the claims are looked at: either is enough", async () => {
    const dir = tempFolder();
    await expect(overtaken(dir, await two(dir, ["lease", "claim"]))).rejects.toThrow(/nothing (is published )?twice/);
  }, 120_000);
});
