import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { expect, vi } from "vitest";
import type { Random } from "../runtime/random.js";
import type { FaultPlan } from "./faults-process.js";
import { accounts, bank, openingPence, reservations, transferOf, transferring, unlucky } from "./trial-bank.js";
import { engineAt, placeText, type TrialPlace } from "./trial-place.js";
import { realTrial } from "./trial-real.js";

// What the tests of saga/crash have in common: processes that share a bank, and are killed.

const program = new URL("./trial-bank-process.js", import.meta.url).pathname;
const faultsProgram = new URL("./faults-process.js", import.meta.url).href;
const running = new Set<ChildProcess>();

/** A bank under fire: where it is, how many transfers are asked for, how often processes are killed, and where by chance. */
export interface Fire {
  readonly place: TrialPlace;
  readonly count: number;
  readonly kills: number;
  readonly random: Random;
  readonly faults?: FaultPlan;
}

interface Life {
  readonly child: ChildProcess;
  readonly over: Promise<"killed" | "ended">;
}

/** Ends what the tests of a file have left running. */
export function endLives(): void {
  for (const child of running) child.kill("SIGKILL");
  running.clear();
}

/** Starts the program; `heard` is told each number that is on disk. */
function live({ place, faults }: Fire, range: readonly [from: number, to: number], heard: Heard): Life {
  const loaded = faults === undefined ? [] : ["--import", faultsProgram];
  const child = spawn(process.execPath, [...loaded, program, placeText(place), ...range.map(String)], {
    stdio: ["ignore", "pipe", "inherit"],
    env: { ...process.env, MILLRACE_FAULTS: JSON.stringify(faults ?? {}) },
  });
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

type Heard = (n: number, child: ChildProcess) => void;
const nobody: Heard = () => {};

/** Kills by chance, one process after the other, and then lets one end; answers how many transfers were acknowledged. */
export async function oneAfterTheOther(fire: Fire): Promise<number> {
  const { count, kills, random } = fire;
  const acked = new Set<number>();
  const from = () => {
    let n = 1;
    while (acked.has(n)) n += 1;
    return n;
  };
  for (let life = 0; life < kills; life += 1) {
    let left = 1 + Math.floor(random.next() * (count / (kills + 2)));
    const { over } = live(fire, [from(), count], (n, child) => {
      acked.add(n);
      left -= 1;
      if (left === 0) child.kill("SIGKILL");
    });
    expect(await over).toBe("killed");
  }
  expect(await live(fire, [from(), count], (n) => acked.add(n)).over).toBe("ended");
  return acked.size;
}

/** Two at a time, each with its half of the transfers: kills one in each round, in turn, and then lets both end. */
export async function sideBySide(fire: Fire): Promise<void> {
  const { count, kills, random } = fire;
  const half = count / 2;
  for (let round = 0; round < kills; round += 1) {
    const doomed = round % 2;
    let left = 20 + Math.floor(random.next() * (half / 6));
    const heard = (which: number): Heard =>
      which === doomed
        ? (_, child) => {
            left -= 1;
            if (left === 0) child.kill("SIGKILL");
          }
        : nobody;
    const lives = [live(fire, [1, half], heard(0)), live(fire, [half + 1, count], heard(1))];
    const ends = await Promise.all(lives.map(({ over }) => over));
    expect([ends[doomed], ends[1 - doomed]]).toEqual(["killed", "ended"]);
  }
  const last = [live(fire, [1, half], nobody), live(fire, [half + 1, count], nobody)];
  expect(await Promise.all(last.map(({ over }) => over))).toEqual(["ended", "ended"]);
}

/** Every transfer has ended as it had to, and no penny is missing or anywhere between. */
export async function audit({ place, count }: Fire): Promise<void> {
  const saga = transferring();
  const { app, stop } = await realTrial({ engine: engineAt(place), services: bank(unlucky, saga) });
  const numbers = Array.from({ length: count }, (_, index) => index + 1);
  const status = async (n: number) => [n, (await app.saga(saga).get(transferOf(n).transferId))?.status];
  const aborts = (n: number) => n % 7 === 0 || n % 11 === 0;
  const ends = numbers.map((n) => [n, aborts(n) ? "aborted" : "completed"]);
  // What a process that was killed had under way waits for the end of its lease.
  await vi.waitFor(async () => expect(await Promise.all(numbers.map(status))).toEqual(ends), {
    timeout: 30_000,
    interval: 200,
  });
  const wanted = new Map<string, number>();
  for (const n of numbers) {
    const { from, to, pence, transferId } = transferOf(n);
    expect(await app.documents(reservations).get(transferId)).toBeUndefined();
    if (aborts(n)) continue;
    wanted.set(from, (wanted.get(from) ?? openingPence) - pence);
    wanted.set(to, (wanted.get(to) ?? openingPence) + pence);
  }
  for (const [accountId, pence] of wanted)
    expect(await app.documents(accounts).get(accountId)).toEqual({ accountId, pence });
  await stop();
}
