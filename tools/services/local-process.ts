import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync, readFileSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { promisify } from "node:util";
import type { Machine } from "./machine.js";

/** A server as a process of this machine. */
export interface LocalCommand {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** The user and group to run as; undefined for our own. */
  readonly as?: { readonly uid: number; readonly gid: number } | undefined;
  /** Where its output goes. */
  readonly log: string;
  /** What its output says once it answers. */
  readonly ready: RegExp;
  readonly readyMsMax: number;
  /** How it is asked to stop. */
  readonly stopSignal: NodeJS.Signals;
  /** What it stores; removed by the guard when this process dies. */
  readonly folder: string;
}

const stopMsMax = 30_000;
const tailLength = 2_000;

/** Starts, stops and disturbs one server process. When this process dies, whatever way, the server goes too. */
export class LocalProcess implements Machine {
  readonly name: string;
  readonly #what: LocalCommand;
  #child: ChildProcess | undefined;
  #guard: ChildProcess | undefined;

  constructor(what: LocalCommand) {
    this.name = what.name;
    this.#what = what;
  }

  async start(): Promise<void> {
    if (this.#child !== undefined) throw new Error(`${this.name} runs already`);
    const { command, args, env, as, log } = this.#what;
    const output = openSync(log, "a");
    const before = sizeOf(log);
    // A group of its own: the Ctrl+C that ends a test run is not for the servers, which are stopped in order.
    const child = spawn(command, args, {
      detached: true,
      stdio: ["ignore", output, output],
      env: { ...process.env, ...env },
      cwd: this.#what.folder,
      ...as,
    });
    closeSync(output);
    this.#child = child;
    // From the beginning: a run can be killed while its servers start.
    if (child.pid !== undefined) this.#guard = guard(child.pid, this.#what);
    const failed = new Promise<string>((said) => {
      child.once("error", (error) => said(error.message));
      child.once("exit", (code, signal) => said(`it ended with ${signal ?? code}`));
    });
    child.once("exit", () => this.#gone(child));
    const why = await Promise.race([failed, this.#untilReady(before)]);
    if (why !== undefined) {
      await this.kill();
      throw new Error(`${this.name} did not start: ${why}\n${readFileSync(log, "utf8").slice(-tailLength)}`);
    }
  }

  async stop(): Promise<void> {
    const child = this.#child;
    if (child === undefined) return;
    child.kill(this.#what.stopSignal);
    const ended = once(child, "exit").then(() => true);
    if (!(await Promise.race([ended, pause(stopMsMax, false, { ref: false })]))) await this.kill();
  }

  async kill(): Promise<void> {
    const child = this.#child;
    if (child?.pid === undefined) return;
    const ended = once(child, "exit");
    // Stopped first, so that a parent does not mend what happens to its children.
    signal([child.pid], "SIGSTOP");
    const family = [...(await childrenOf(child.pid)), child.pid];
    signal(family, "SIGKILL");
    await ended;
    while (family.some(isAlive)) await pause(20);
  }

  async pause(): Promise<void> {
    const { pid } = this.#running();
    signal([pid], "SIGSTOP");
    signal(await childrenOf(pid), "SIGSTOP");
  }

  async resume(): Promise<void> {
    const { pid } = this.#running();
    signal([...(await childrenOf(pid)), pid], "SIGCONT");
  }

  #running(): { readonly pid: number } {
    const pid = this.#child?.pid;
    if (pid === undefined) throw new Error(`${this.name} does not run`);
    return { pid };
  }

  async #untilReady(before: number): Promise<string | undefined> {
    const { log, ready, readyMsMax } = this.#what;
    const began = performance.now();
    while (performance.now() - began < readyMsMax) {
      if (ready.test(readFileSync(log).subarray(before).toString("utf8"))) return undefined;
      await pause(50);
    }
    return `it was not ready after ${readyMsMax} ms`;
  }

  #gone(child: ChildProcess): void {
    if (this.#child !== child) return;
    this.#child = undefined;
    this.#guard?.kill("SIGKILL");
    this.#guard = undefined;
  }
}

/** A shell that waits for its input to end, which it does when this process dies, even by SIGKILL. */
function guard(pid: number, { stopSignal, folder }: LocalCommand): ChildProcess {
  // A stopped server hears nothing, and the stopped children of a dead one not even that.
  const script = `cat >/dev/null
    kill -CONT "$1"; kill "-$3" "$1"; sleep 3
    children=$(ps -A -o pid=,ppid= | awk -v parent="$1" '$2 == parent { print $1 }')
    kill -9 "$1" $children; rm -rf "$2"`;
  const name = stopSignal.slice("SIG".length);
  const child = spawn("sh", ["-c", script, "guard", String(pid), folder, name], {
    detached: true,
    stdio: ["pipe", "ignore", "ignore"],
  });
  child.unref();
  (child.stdin as unknown as { unref(): void }).unref();
  return child;
}

async function childrenOf(pid: number): Promise<readonly number[]> {
  const { stdout } = await promisify(execFile)("ps", ["-A", "-o", "pid=,ppid="]);
  const pairs = stdout.split("\n").map((line) => line.trim().split(/\s+/).map(Number));
  return pairs.flatMap(([child, parent]) => (parent === pid && child !== undefined ? [child] : []));
}

function signal(pids: readonly number[], name: NodeJS.Signals): void {
  for (const pid of pids) {
    try {
      process.kill(pid, name);
    } catch (error) {
      // It has ended by itself meanwhile.
      if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
    }
  }
}

function isAlive(pid: number): boolean {
  try {
    // What is killed but not yet collected by its parent holds nothing any more.
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
}

function sizeOf(path: string): number {
  return readFileSync(path).length;
}
