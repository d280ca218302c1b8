import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const main = fileURLToPath(new URL("./main.js", import.meta.url));
const module = fileURLToPath(new URL("../main/trial-process.js", import.meta.url));

/** What a finished command left. */
export interface Ran {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** An app in a process of its own, in a folder of its own, and the command line beside it: for tests. */
export class Trial {
  readonly dir: string = mkdtempSync(join(tmpdir(), "millrace-trial-"));
  /** What `millrace start` starts. */
  readonly module: string = module;
  readonly #watched: ChildProcess[] = [];
  #app: ChildProcess | undefined;

  /** Starts the app and resolves to its address. */
  async start(env: Readonly<Record<string, string>> = {}): Promise<string> {
    const app = spawn(process.execPath, [main, "start", module], {
      env: { ...process.env, TRIAL_DIR: this.dir, ...env },
      stdio: ["ignore", "pipe", "inherit"],
    });
    this.#app = app;
    const said = await new Promise<string>((resolve, reject) => {
      let text = "";
      app.stdout?.on("data", (chunk) => {
        text += chunk;
        if (text.includes("\n")) resolve(text);
      });
      app.once("exit", (code) => reject(new Error(`the app ended with ${code}`)));
    });
    return /^ready (\S+)\n/.exec(said)?.[1] ?? "";
  }

  /** Ends the app and resolves to its exit status. */
  async end(signal: NodeJS.Signals = "SIGTERM"): Promise<number | null> {
    const app = this.#app;
    if (app === undefined) return null;
    if (app.exitCode === null && app.signalCode === null) {
      const exited = new Promise((resolve) => app.once("exit", resolve));
      app.kill(signal);
      if (signal === "SIGTERM") app.kill("SIGCONT");
      await exited;
    }
    this.#app = undefined;
    return app.exitCode;
  }

  /** Sends the app a signal, without waiting. */
  signal(signal: NodeJS.Signals): void {
    this.#app?.kill(signal);
  }

  /** Runs `millrace` with these arguments and `--dir`. */
  run(...args: readonly string[]): Promise<Ran> {
    return this.runWith({}, ...args, "--dir", this.dir);
  }

  /** As {@link run}, without `--dir`; `input` goes to its standard input. */
  runWith(
    how: { input?: string; env?: Readonly<Record<string, string>>; cwd?: string },
    ...args: readonly string[]
  ): Promise<Ran> {
    const child = spawn(process.execPath, [main, ...args], {
      env: { ...process.env, ...how.env },
      stdio: "pipe",
      ...(how.cwd === undefined ? {} : { cwd: how.cwd }),
    });
    child.stdin.end(how.input ?? "");
    return new Promise((resolve) => {
      let stdout = "";
      let stderr = "";
      child.stdout.on("data", (chunk) => {
        stdout += chunk;
      });
      child.stderr.on("data", (chunk) => {
        stderr += chunk;
      });
      child.once("close", (code) => resolve({ code, stdout, stderr }));
    });
  }

  /** Starts `millrace` with these arguments, to be watched while it runs. */
  spawn(how: { cwd: string; env?: Readonly<Record<string, string>> }, ...args: readonly string[]): Watched {
    const child = spawn(process.execPath, [main, ...args], {
      cwd: how.cwd,
      env: { ...process.env, ...how.env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.#watched.push(child);
    return new Watched(child);
  }

  async remove(): Promise<void> {
    for (const child of this.#watched) child.kill("SIGKILL");
    await this.end("SIGKILL");
    rmSync(this.dir, { recursive: true, force: true });
  }
}

/** A process and what it has said so far, on both of its streams. */
class Watched {
  readonly #child: ChildProcess;
  #text = "";
  #heard = (): void => {};

  constructor(child: ChildProcess) {
    this.#child = child;
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on("data", (chunk) => {
        this.#text += chunk;
        this.#heard();
      });
    }
  }

  /** Resolves when it has said this, or has already. */
  async said(text: string): Promise<void> {
    while (!this.#text.includes(text)) {
      await new Promise<void>((resolve) => {
        this.#heard = resolve;
      });
    }
  }

  /** Ends it with SIGTERM and resolves to its exit status. */
  end(): Promise<number | null> {
    const exited = new Promise<number | null>((resolve) => this.#child.once("close", resolve));
    this.#child.kill("SIGTERM");
    return exited;
  }
}
