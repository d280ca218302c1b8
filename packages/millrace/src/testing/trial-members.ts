import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { expect } from "vitest";
import type { FaultPlan } from "./faults-process.js";

/** An event that such a process is to publish. */
interface Step {
  readonly key: string;
  readonly n: number;
  readonly spins?: number;
  readonly note?: string;
  readonly waits?: number;
}

/** An event that was acknowledged. */
export interface Acked {
  readonly n: number;
  readonly key: string;
  readonly offset: number;
}
/** What such a process answers. */
interface Answer {
  readonly started?: number;
  readonly acked?: number;
  readonly key?: string;
  readonly offset?: number;
  readonly refused?: number;
  readonly why?: string;
  readonly numbers?: readonly (readonly number[])[];
  readonly partitions?: number;
  readonly stopped?: boolean;
  readonly turned?: number;
  readonly dead?: number;
  readonly job?: number;
  readonly rested?: number;
  readonly echoed?: readonly number[];
  readonly stored?: readonly number[];
  readonly reminded?: readonly number[];
  readonly moved?: number;
  /** Why its counting consumer has stopped, if it has. */
  readonly failure?: string;
  /** What was asked for could not be done. */
  readonly failed?: string;
}

/** All that the tests of a file have started. */
export const programs = new Set<ChildProcess>();

/** A process that takes part in a folder's file; see members-process.ts. */
export class Program {
  readonly acked: Acked[] = [];
  readonly refused: string[] = [];
  readonly child: ChildProcess;
  readonly #waiting: ((answer: Answer) => void)[] = [];
  #tellAcked: () => void = () => {};

  private constructor(args: readonly string[], started: (answer: Answer) => void, faults: FaultPlan | undefined) {
    const file = new URL("../app/members-process.js", import.meta.url).pathname;
    const before = faults === undefined ? [] : ["--import", new URL("./faults-process.js", import.meta.url).href];
    const env = faults === undefined ? process.env : { ...process.env, MILLRACE_FAULTS: JSON.stringify(faults) };
    const child = spawn(process.execPath, [...before, file, ...args], {
      stdio: ["pipe", "pipe", "inherit"],
      env,
    });
    programs.add(child);
    this.child = child;
    child.stdin.on("error", () => {});
    createInterface({ input: child.stdout }).on("line", (line) => {
      const answer = JSON.parse(line) as Answer;
      if (answer.started !== undefined) started(answer);
      else if (answer.acked !== undefined) this.#noteAcked(answer);
      else if (answer.refused !== undefined) this.#noteRefused(answer);
      else this.#waiting.shift()?.(answer);
    });
  }

  static async start(dir: string, faults?: FaultPlan, ...what: readonly ("timers" | "publisher")[]): Promise<Program> {
    return await new Promise((resolve) => {
      const program: Program = new Program([dir, ...what], () => resolve(program), faults);
    });
  }

  publish(step: Step): void {
    this.child.stdin?.write(`${JSON.stringify({ publish: step })}\n`);
  }

  /** Resolves when so many of its events are answered: acknowledged, or refused. */
  async answered(count: number): Promise<void> {
    while (this.acked.length + this.refused.length < count)
      await new Promise<void>((resolve) => {
        this.#tellAcked = resolve;
      });
  }

  /** Resolves when at least so many events are acknowledged. */
  async ackedAtLeast(count: number): Promise<void> {
    while (this.acked.length < count)
      await new Promise<void>((resolve) => {
        this.#tellAcked = resolve;
      });
  }

  async ask(ask: object): Promise<Answer> {
    return await new Promise((resolve) => {
      this.#waiting.push(resolve);
      this.child.stdin?.write(`${JSON.stringify(ask)}\n`);
    });
  }

  async kill(): Promise<void> {
    const gone = once(this.child, "exit");
    this.child.kill("SIGKILL");
    await gone;
  }

  #noteRefused({ refused, why }: Answer): void {
    this.refused.push(`${refused}: ${why}`);
    this.#tellAcked();
  }

  #noteAcked({ acked = 0, key = "", offset = 0 }: Answer): void {
    this.acked.push({ n: acked, key, offset });
    this.#tellAcked();
  }
}

/** The keys that the tests publish to. */
export const keys = Array.from({ length: 10 }, (_, n) => `k${n}`);
/** The key of the nth event. */
export const keyOf = (n: number) => keys[n % keys.length] as string;
/** The process that owns the folder. */
export const ownerPid = (dir: string) =>
  (JSON.parse(readFileSync(join(dir, "owner.json"), "utf8")) as { pid: number }).pid;

/** Asks until what was acknowledged is handled; what is handled then, by key. */
export async function handled(by: Program, acked: readonly Acked[]): Promise<ReadonlyMap<string, readonly number[]>> {
  for (;;) {
    const { numbers = [] } = await by.ask({ numbers: keys });
    const found = new Map(keys.map((key, index) => [key, numbers[index] ?? []]));
    if (acked.every(({ key, n }) => found.get(key)?.includes(n))) return found;
  }
}

/** What was acknowledged is there once, in the order of the log. */
export function expectOnceInOrder(found: ReadonlyMap<string, readonly number[]>, acked: readonly Acked[]): void {
  for (const [key, numbers] of found) {
    expect(new Set(numbers).size, `${key} has nothing twice`).toBe(numbers.length);
    const inLog = acked.filter((one) => one.key === key).sort((a, b) => a.offset - b.offset);
    const places = inLog.map(({ n }) => numbers.indexOf(n));
    expect(places).toEqual([...places].sort((a, b) => a - b));
  }
}
