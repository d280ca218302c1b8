import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { expect } from "vitest";
import type { FaultPlan } from "./faults-process.js";

const faultsProgram = new URL("./faults-process.js", import.meta.url).href;

/** For Node, before a program that a test kills when it sees something: it does not end in another way; see faults-doomed.ts. */
export const doomed: readonly string[] = ["--import", new URL("./faults-doomed.js", import.meta.url).href];

const running = new Set<ChildProcess>();

/** Ends what a test has left running. */
export function endLives(): void {
  for (const child of running) child.kill("SIGKILL");
  running.clear();
}

/** One run of a program that writes lines by `say`. */
export interface Life {
  /** The program and its arguments. */
  readonly args: readonly unknown[];
  readonly faults?: FaultPlan | undefined;
  /** After how many lines it dies, in the middle of its work. */
  readonly dieAfter?: number | undefined;
  /** Told each line. */
  heard?(line: string): void;
  /** Where its complaints go. */
  readonly stderr?: "inherit" | "ignore";
}

/** Runs it, and answers which signal ended it: none when it ended in order. */
export async function live({ args, faults, dieAfter, heard, stderr = "inherit" }: Life): Promise<string | null> {
  const plan: FaultPlan = { ...faults, ...(dieAfter === undefined ? {} : { deathAfterLines: dieAfter }) };
  const child = spawn(process.execPath, ["--import", faultsProgram, ...args.map(String)], {
    stdio: ["ignore", "pipe", stderr],
    env: { ...process.env, MILLRACE_FAULTS: JSON.stringify(plan) },
  });
  running.add(child);
  const exited = once(child, "exit") as Promise<[number | null, string | null]>;
  for await (const line of createInterface({ input: child.stdout })) heard?.(line);
  const [code, signal] = await exited;
  running.delete(child);
  if (signal === null) expect(code).toBe(0);
  return signal;
}
