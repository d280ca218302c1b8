import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect, it } from "vitest";
import { clockFile } from "../testing/faults-clock.js";
import { endTrials, tempFolder } from "../testing/trial.js";
import { expectOnceInOrder, handled, keyOf, ownerPid, Program, programs } from "../testing/trial-members.js";

afterEach(async () => {
  for (const child of programs) child.kill("SIGKILL");
  programs.clear();
  await endTrials();
});

const hour = 3_600_000;
const leaseMs = 1_000;

/** Sets the wall clock of one process. */
function set(dir: string, { child }: Program, byMs: number): void {
  const file = clockFile(dir, child.pid as number);
  writeFileSync(`${file}.new`, String(byMs));
  renameSync(`${file}.new`, file);
}

interface Fired {
  readonly n: number;
  readonly due: number;
  readonly at: number;
}

/** The timers that were heard of, with the moment on a clock that nobody has set. */
function fired(dir: string): readonly Fired[] {
  const file = join(dir, "fired");
  if (!existsSync(file)) return [];
  const lines = readFileSync(file, "utf8").split("\n").slice(0, -1);
  return lines.map((line) => JSON.parse(line) as Fired);
}

async function shares(both: readonly Program[]): Promise<readonly (number | undefined)[]> {
  return await Promise.all(both.map(async (one) => (await one.ask({ numbers: [] })).partitions));
}

/** Publishes events of which each arms a timer, half by each process. */
async function publish(both: readonly Program[], from: number, to: number): Promise<void> {
  for (let n = from; n < to; n += 1) both[n % 2]?.publish({ key: keyOf(n), n, waits: 200 + (n % 5) * 100 });
  await Promise.all(both.map((one) => one.ackedAtLeast(to / 2)));
}

it.each([
  ["the other process", "an hour ahead", hour],
  ["the other process", "an hour back", -hour],
  ["the owner", "an hour ahead", hour],
  ["the owner", "an hour back", -hour],
])(
  "of %s is set %s: leases stay, nothing is lost or doubled, no timer is early by the owner's clock",
  async (whose, _, byMs) => {
    const dir = tempFolder();
    const faults = { clocks: dir, leaseMs, aliveMs: 200 };
    const both = [await Program.start(dir, faults, "timers"), await Program.start(dir, faults, "timers")] as const;
    while ((await shares(both)).join() !== "4,4") expect(programs.size).toBe(2);
    const [owner, other] = both;
    expect(owner.child.pid).toBe(ownerPid(dir));
    const victim = whose === "the owner" ? owner : other;

    await publish(both, 0, 40);
    set(dir, victim, byMs);
    await publish(both, 40, 80);
    // Longer than a lease: whoever is taken for dead has lost its partitions by then.
    await other.ask({ rest: 2 * leaseMs });
    expect(await shares(both)).toEqual([4, 4]);
    const ahead = victim === owner ? Math.max(byMs, 0) : 0;
    for (const { n, due, at } of fired(dir)) expect(at + ahead, `timer of ${n}`).toBeGreaterThanOrEqual(due);

    // It is set right again, and time goes on, for both: each timer fires, once.
    for (const one of both) set(dir, one, 2 * hour);
    await publish(both, 80, 100);
    const acked = both.flatMap((one) => one.acked);
    for (const one of both) {
      expectOnceInOrder(await handled(one, acked), acked);
      expect(one.refused).toEqual([]);
    }
    const armed = Array.from({ length: 100 }, (_, n) => n);
    for (;;) {
      const { reminded = [] } = await other.ask({ reminded: true });
      if (new Set(reminded).size < armed.length) continue;
      expect([...reminded].sort((a, b) => a - b)).toEqual(armed);
      break;
    }
    expect(ownerPid(dir)).toBe(owner.child.pid);
  },
  240_000,
);
