import { type ChildProcess, fork } from "node:child_process";
import { dirname, relative } from "node:path";
import { appFile } from "./load.js";
import type { StartCommand } from "./start.js";
import { watchCode } from "./watch.js";

/** Editors and compilers write several files at a time: this long after the last, the app starts again. */
const quietMs = 100;
/** An app that does not stop by then is killed. */
const stopMsMax = 15_000;

/** Runs the app in a process of its own, and starts it anew after each change of its code. */
export async function dev(given: string | undefined, { service, acceptRisk = [] }: StartCommand = {}): Promise<void> {
  const file = await appFile(given);
  const chosen = service === undefined ? [] : ["--service", service];
  const supervisor = new Supervisor([file, ...chosen, ...acceptRisk.flatMap((name) => ["--accept-risk", name])]);
  supervisor.run();
  const watching = watchCode(dirname(file), (path) => supervisor.changed(path));
  await new Promise<void>((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, resolve);
  });
  watching.close();
  await supervisor.stop();
}

class Supervisor {
  readonly #args: readonly string[];
  #child: ChildProcess | undefined;
  #exited: Promise<void> = Promise.resolve();
  #quiet: NodeJS.Timeout | undefined;
  #restarting: Promise<void> | undefined;
  #stopping = false;

  constructor(args: readonly string[]) {
    this.#args = args;
  }

  run(): void {
    if (this.#stopping) return;
    const child = fork(new URL("./main.js", import.meta.url), ["start", ...this.#args], {
      stdio: ["inherit", "inherit", "inherit", "ipc"],
    });
    this.#child = child;
    this.#exited = new Promise((resolve) => {
      child.once("exit", (code, signal) => {
        this.#child = undefined;
        if (this.#restarting === undefined && !this.#stopping)
          note(`ended with ${signal ?? code}; waiting for a change`);
        resolve();
      });
    });
  }

  changed(path: string): void {
    clearTimeout(this.#quiet);
    this.#quiet = setTimeout(() => {
      note(`${relative(process.cwd(), path)} changed; starting again`);
      this.#restarting ??= this.#restart().finally(() => {
        this.#restarting = undefined;
      });
    }, quietMs);
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    clearTimeout(this.#quiet);
    await this.#end();
  }

  async #restart(): Promise<void> {
    await this.#end();
    this.run();
  }

  /** Gracefully: handlers finish, positions are committed. */
  async #end(): Promise<void> {
    const child = this.#child;
    if (child === undefined) return;
    child.kill("SIGTERM");
    const timer = setTimeout(() => child.kill("SIGKILL"), stopMsMax);
    await this.#exited;
    clearTimeout(timer);
  }
}

function note(text: string): void {
  process.stderr.write(`millrace dev: ${text}\n`);
}
