import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import type { FaultPlan } from "./faults-process.js";
import { placeText, type TrialPlace } from "./trial-place.js";
import type { SharedAsk } from "./trial-shared-process.js";

/** What such a program answers. */
export interface SharedAnswer {
  readonly ask: number;
  readonly failed?: string;
  readonly partitions?: number;
  /** Why its counting consumer has stopped, if it has. */
  readonly failure?: string;
  readonly counted?: readonly (readonly number[])[];
  readonly logged?: readonly { readonly key: string; readonly n: number }[];
}

const program = new URL("./trial-shared-process.js", import.meta.url).pathname;
const faultsProgram = new URL("./faults-process.js", import.meta.url).href;
const living = new Set<ChildProcess>();

/** A process that takes part in what servers hold; see trial-shared-process.ts. */
export class SharedProgram {
  readonly child: ChildProcess;
  readonly #waiting = new Map<number, (answer: SharedAnswer) => void>();
  #asked = 0;

  private constructor(place: TrialPlace, faults: FaultPlan) {
    this.child = spawn(process.execPath, ["--import", faultsProgram, program, placeText(place)], {
      stdio: ["pipe", "pipe", "inherit"],
      env: { ...process.env, MILLRACE_FAULTS: JSON.stringify({ postgres: true, ...faults }) },
    });
    living.add(this.child);
    this.child.stdin?.on("error", () => {});
    if (this.child.stdout === null) throw new Error("no output to read");
    createInterface({ input: this.child.stdout }).on("line", (line) => {
      const answer = JSON.parse(line) as SharedAnswer;
      this.#waiting.get(answer.ask)?.(answer);
      this.#waiting.delete(answer.ask);
    });
  }

  static async start(place: TrialPlace, faults: FaultPlan = {}): Promise<SharedProgram> {
    const started = new SharedProgram(place, faults);
    await new Promise((resolve) => started.#waiting.set(0, resolve));
    return started;
  }

  /** Ends all that the tests of a file have started. */
  static async killAll(): Promise<void> {
    for (const child of living) {
      const gone = once(child, "exit");
      if (child.exitCode === null && child.signalCode === null && child.kill("SIGKILL")) await gone;
    }
    living.clear();
  }

  ask(ask: Omit<SharedAsk, "ask"> = {}): Promise<SharedAnswer> {
    this.#asked += 1;
    const asked = this.#asked;
    return new Promise((resolve) => {
      this.#waiting.set(asked, resolve);
      this.child.stdin?.write(`${JSON.stringify({ ...ask, ask: asked })}\n`);
    });
  }

  async partitions(): Promise<number> {
    return (await this.ask()).partitions ?? 0;
  }
}
