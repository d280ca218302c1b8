import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { afterEach, expect, it } from "vitest";
import { seededRandom } from "../runtime/random.js";
import { endTrials, tempFolder, trial } from "../testing/trial.js";
import {
  accounts,
  bank,
  openingPence,
  reservations,
  transferOf,
  transferring,
  unlucky,
} from "../testing/trial-bank.js";

const program = fileURLToPath(new URL("../../dist/testing/trial-bank-process.js", import.meta.url));
const seed = Number(process.env.CRASH_SEED ?? Math.floor(performance.timeOrigin));
const running = new Set<ChildProcess>();

afterEach(async () => {
  for (const child of running) child.kill("SIGKILL");
  running.clear();
  await endTrials();
});

interface Life {
  readonly child: ChildProcess;
  readonly over: Promise<"killed" | "ended">;
}

/** Starts the program; `heard` is told each number that is on disk. */
function live(args: readonly unknown[], heard: (n: number, child: ChildProcess) => void): Life {
  const child = spawn(process.execPath, [program, ...args.map(String)], { stdio: ["ignore", "pipe", "inherit"] });
  running.add(child);
  if (child.stdout === null) throw new Error("no output to read");
  createInterface({ input: child.stdout }).on("line", (line) => heard(Number(line), child));
  const over = (once(child, "exit") as Promise<[number | null, string | null]>).then(([code, signal]) => {
    running.delete(child);
    if (signal === "SIGKILL") return "killed" as const;
    expect(code).toBe(0);
    return "ended" as const;
  });
  return { child, over };
}

/** Every transfer has ended as it had to, and no penny is missing or anywhere between. */
async function audit(dir: string, count: number): Promise<void> {
  const saga = transferring();
  const t = await trial(bank(unlucky, saga), { dir });
  const wanted = new Map<string, number>();
  for (let n = 1; n <= count; n += 1) {
    const { from, to, pence, transferId } = transferOf(n);
    const aborts = n % 7 === 0 || n % 11 === 0;
    expect([n, (await t.app.saga(saga).get(transferId))?.status]).toEqual([n, aborts ? "aborted" : "completed"]);
    expect(await t.app.documents(reservations).get(transferId)).toBeUndefined();
    if (aborts) continue;
    wanted.set(from, (wanted.get(from) ?? openingPence) - pence);
    wanted.set(to, (wanted.get(to) ?? openingPence) + pence);
  }
  for (const [accountId, pence] of wanted)
    expect(await t.app.documents(accounts).get(accountId)).toEqual({ accountId, pence });
  await t.stop();
}

it("conserves money and ends every transfer when the process is killed 12 times in the middle of 1,200", async () => {
  console.log(`crash: seed ${seed} (set CRASH_SEED to repeat it)`);
  const [count, kills] = [1_200, 12];
  const dir = tempFolder();
  const random = seededRandom(seed);
  const acked = new Set<number>();
  const from = () => {
    let n = 1;
    while (acked.has(n)) n += 1;
    return n;
  };
  let killed = 0;
  for (let life = 0; life < kills; life += 1) {
    let left = 1 + Math.floor(random.next() * (count / (kills + 2)));
    const { over } = live([dir, from(), count], (n, child) => {
      acked.add(n);
      left -= 1;
      if (left === 0) child.kill("SIGKILL");
    });
    if ((await over) === "killed") killed += 1;
  }
  expect(killed).toBe(kills);
  expect(await live([dir, from(), count], (n) => acked.add(n)).over).toBe("ended");
  expect(acked.size).toBe(count);
  await audit(dir, count);
}, 120_000);

it("conserves money and ends every transfer when two processes share the work, and one or the other is killed", async () => {
  const count = 1_200;
  const dir = tempFolder();
  const random = seededRandom(seed);
  const half = count / 2;
  for (let round = 0; round < 4; round += 1) {
    const lives: Life[] = [];
    const doomed = round % 2;
    let left = 20 + Math.floor(random.next() * 100);
    const heard = (which: number) => () => {
      if (which !== doomed) return;
      left -= 1;
      if (left === 0) lives[which]?.child.kill("SIGKILL");
    };
    lives.push(live([dir, 1, half], heard(0)), live([dir, half + 1, count], heard(1)));
    const ends = await Promise.all(lives.map(({ over }) => over));
    expect(ends[doomed]).toBe("killed");
    expect(ends[1 - doomed]).toBe("ended");
  }
  const last = [live([dir, 1, half], () => {}), live([dir, half + 1, count], () => {})];
  expect(await Promise.all(last.map(({ over }) => over))).toEqual(["ended", "ended"]);
  await audit(dir, count);
}, 120_000);
