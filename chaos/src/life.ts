import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { openSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { LoadOptions } from "./load-process.js";

/** What is loaded into a process before its program: a copy of what `testing/faults-process.ts` of Millrace takes. */
export interface FaultPlan {
  readonly fault?: string;
  /** PostgreSQL is the store. */
  readonly postgres?: true;
  readonly leaseMs: number;
  readonly death?: { readonly at: string; readonly commit: number; readonly statement: number };
  readonly armedBy: string;
}

const program = fileURLToPath(new URL("./load-process.js", import.meta.url));
const faultsProgram = new URL("../../packages/millrace/dist/testing/faults-process.js", import.meta.url).href;

/** How a life ended. */
export interface End {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** One process, from its start to its end. */
export class Life {
  readonly slot: number;
  readonly ended: Promise<End>;
  /** It has acknowledged something: a kill lands in the middle of its work from now on. */
  acked = false;
  ready = false;
  drained = false;
  frozen = false;
  over = false;
  /** It carries the point of its own death. */
  readonly doomed: boolean;
  #asked = false;
  readonly #born = performance.now();
  readonly #child: ChildProcess;

  constructor(options: LoadOptions, faults: FaultPlan) {
    this.slot = options.slot;
    this.doomed = faults.death !== undefined;
    const output = openSync(join(options.dir, `err-${options.slot}.log`), "a");
    this.#child = spawn(process.execPath, ["--import", faultsProgram, program, JSON.stringify(options)], {
      stdio: ["pipe", "pipe", output],
      env: { ...process.env, MILLRACE_FAULTS: JSON.stringify(faults) },
    });
    this.ended = this.#end();
    // A killed child's end of the pipe is gone before its exit is known.
    this.#child.stdin?.on("error", () => {});
    if (this.#child.stdout !== null)
      createInterface({ input: this.#child.stdout }).on("line", (line) => {
        if (line === "ready") this.ready = true;
        else if (line === "acked") this.acked = true;
        else if (line === "drained") this.drained = true;
      });
  }

  get pid(): number {
    return this.#child.pid ?? -1;
  }

  /** How long it has lived (ms). */
  get age(): number {
    return performance.now() - this.#born;
  }

  kill(): void {
    this.#child.kill("SIGKILL");
  }

  freeze(): void {
    this.frozen = this.#child.kill("SIGSTOP");
  }

  thaw(): void {
    this.frozen = false;
    this.#child.kill("SIGCONT");
  }

  /** Publishes no more. */
  rest(): void {
    this.#child.stdin?.write("rest\n");
  }

  /** Asks it to stop, once. */
  stop(): void {
    if (!this.#asked) this.#child.kill("SIGTERM");
    this.#asked = true;
  }

  async #end(): Promise<End> {
    const [code, signal] = (await once(this.#child, "close")) as [number | null, NodeJS.Signals | null];
    this.over = true;
    return { code, signal };
  }
}
