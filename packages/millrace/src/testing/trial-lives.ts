import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { expect } from "vitest";

/** What makes of a program one that a test kills: it does not end in another way; see faults-doomed.ts. */
export const doomed: readonly string[] = ["--import", fileURLToPath(new URL("./faults-doomed.js", import.meta.url))];

const running = new Set<ChildProcess>();

/** Ends what a test has left running. */
export function endLives(): void {
  for (const child of running) child.kill("SIGKILL");
  running.clear();
}

/** One run of a program that writes lines. */
export interface Life {
  /** Options of Node, the program, and its arguments. */
  readonly args: readonly unknown[];
  readonly env?: Readonly<Record<string, string>>;
  /** After how many lines it is killed; it may end in order where there are none. */
  readonly killAfter?: number | undefined;
  /** Told each line. */
  heard?(line: string): void;
  /** Where its complaints go. */
  readonly stderr?: "inherit" | "ignore";
}

/** Runs it, and answers which signal ended it: none when it ended in order. */
export async function live({ args, env, killAfter, heard, stderr = "inherit" }: Life): Promise<string | null> {
  const before = killAfter === undefined ? [] : doomed;
  const child = spawn(process.execPath, [...before, ...args.map(String)], {
    stdio: ["ignore", "pipe", stderr],
    env: { ...process.env, ...env },
  });
  running.add(child);
  const exited = once(child, "exit") as Promise<[number | null, string | null]>;
  let lines = 0;
  for await (const line of createInterface({ input: child.stdout })) {
    heard?.(line);
    lines += 1;
    if (lines === killAfter) child.kill("SIGKILL");
  }
  const [code, signal] = await exited;
  running.delete(child);
  if (signal === null) expect(code).toBe(0);
  return signal;
}
