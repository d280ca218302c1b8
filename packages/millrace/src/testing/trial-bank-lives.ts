import { expect, vi } from "vitest";
import type { Random } from "../runtime/random.js";
import type { FaultPlan } from "./faults-process.js";
import { accounts, bank, openingPence, reservations, transferOf, transferring, unlucky } from "./trial-bank.js";
import { live } from "./trial-lives.js";
import { engineAt, placeText, type TrialPlace } from "./trial-place.js";
import { realTrial } from "./trial-real.js";

// What the tests of saga/crash have in common: processes that share a bank, and are killed.

const program = new URL("../../dist/testing/trial-bank-process.js", import.meta.url).pathname;

/** A bank under fire: where it is, how many transfers are asked for, how often processes are killed, and where by chance. */
export interface Fire {
  readonly place: TrialPlace;
  readonly count: number;
  readonly kills: number;
  readonly random: Random;
  readonly faults?: FaultPlan;
}

interface Course {
  readonly range: readonly [from: number, to: number];
  /** Told each number that is on disk. */
  heard?(n: number): void;
  /** After how many numbers it dies, if it does. */
  readonly dieAfter?: number;
}

/** Runs the program, and answers which signal ended it, if any. */
function life({ place, faults }: Fire, { range, heard, dieAfter }: Course): Promise<string | null> {
  const args = [program, placeText(place), ...range];
  return live({ args, faults, dieAfter, heard: (line) => heard?.(Number(line)) });
}

/** Kills by chance, one process after the other, and then lets one end; answers how many transfers were acknowledged. */
export async function oneAfterTheOther(fire: Fire): Promise<number> {
  const { count, kills, random } = fire;
  const acked = new Set<number>();
  const from = () => {
    let n = 1;
    while (acked.has(n)) n += 1;
    return n;
  };
  const heard = (n: number) => void acked.add(n);
  for (let kill = 0; kill < kills; kill += 1) {
    const dieAfter = 1 + Math.floor(random.next() * (count / (kills + 2)));
    expect(await life(fire, { range: [from(), count], heard, dieAfter })).toBe("SIGKILL");
  }
  expect(await life(fire, { range: [from(), count], heard })).toBeNull();
  return acked.size;
}

/** Two at a time, each with its half of the transfers: kills one in each round, in turn, and then lets both end. */
export async function sideBySide(fire: Fire): Promise<void> {
  const { count, kills, random } = fire;
  const half = count / 2;
  const halves = [
    [1, half],
    [half + 1, count],
  ] as const;
  for (let round = 0; round < kills; round += 1) {
    const dieAfter = 20 + Math.floor(random.next() * (half / 6));
    const [doomed, other] = round % 2 === 0 ? halves : halves.toReversed();
    const ends = await Promise.all([life(fire, { range: doomed, dieAfter }), life(fire, { range: other })]);
    expect(ends).toEqual(["SIGKILL", null]);
  }
  expect(await Promise.all(halves.map((range) => life(fire, { range })))).toEqual([null, null]);
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
