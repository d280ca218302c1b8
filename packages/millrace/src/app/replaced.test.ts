import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect, it } from "vitest";
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

/** Whoever removes the lock of an owner that only stands still replaces it: what the manual says nobody should do. */
async function replaced(fault?: FaultName, ...what: readonly "publisher"[]) {
  const dir = tempFolder();
  const faults = { freeze: dir, leaseMs: 1_000, aliveMs: 200, ...(fault === undefined ? {} : { fault }) };
  const old = await Program.start(dir, faults, ...what);
  const beside = await Program.start(dir, faults, ...what);
  const publish = (by: Program, from: number, to: number) => {
    for (let n = from; n < to; n += 1) by.publish({ key: keyOf(n), n });
  };
  publish(old, 0, 20);
  await old.ackedAtLeast(20);
  // It stands still with a commit in its hands, before the transaction begins.
  writeFileSync(join(dir, freezeFile), String(old.child.pid));
  publish(old, 20, 40);
  for (;;) {
    await stopped(old, () => beside.ask({ rest: 10 }));
    if (points(dir).at(-1) === "BEGIN IMMEDIATE") break;
    old.child.kill("SIGCONT");
  }
  rmSync(join(dir, freezeFile));
  for (const name of ["millrace.lock", "millrace.lock-journal"]) rmSync(join(dir, name), { force: true });
  const next = await Program.start(dir, faults);
  expect(ownerPid(dir)).toBe(next.child.pid);
  old.child.kill("SIGCONT");
  await old.answered(40);
  publish(next, 40, 60);
  await next.answered(20);
  publish(beside, 60, 80);
  await beside.answered(20);
  return { all: [old, beside, next], next };
}

it.each<[string, readonly "publisher"[]]>([
  ["with consumers in it", []],
  ["that only publishes", ["publisher"]],
])(
  "an owner %s that was stopped in a commit, and has been replaced by force, stores nothing more, and takes part beside the new one",
  async (_, what) => {
    const { all, next } = await replaced(undefined, ...what);
    expect(all.flatMap(({ refused }) => refused)).toEqual([]);
    const acked = all.flatMap((one) => one.acked);
    const { stored = [] } = await next.ask({ stored: true });
    expect([...stored].sort((a, b) => a - b)).toEqual(Array.from({ length: 80 }, (_, n) => n));
    for (const one of all) expectOnceInOrder(await handled(one, acked), acked);
  },
  60_000,
);

// Units of consumers are refused as well because the position's row has another epoch: here there are none.
it("without the fence, an owner that was replaced by force goes on storing, and spoils the file for the new one", async () => {
  const { next } = await replaced("fence", "publisher");
  expect(next.refused).toHaveLength(20);
  for (const why of next.refused) expect(why).toContain("the file contradicts itself");
}, 60_000);
