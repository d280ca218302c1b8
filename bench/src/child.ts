import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";

type Answer =
  | { readonly type: "answer"; readonly value: unknown }
  | { readonly type: "failed"; readonly message: string };

/** A process of its own that answers one question at a time. */
export interface Child {
  ask(question: unknown): Promise<unknown>;
  close(): Promise<void>;
}

/** Starts `file` of this folder, which calls {@link answering}; ready when this resolves. */
export async function openChild(
  file: string,
  options: { readonly args?: readonly string[]; readonly nodeArgs?: readonly string[] } = {},
): Promise<Child> {
  const { args = [], nodeArgs = [] } = options;
  // The benchmark's standard output is for figures: what a child prints goes to standard error.
  const child = fork(new URL(file, import.meta.url), args, {
    execArgv: [...nodeArgs],
    stdio: ["ignore", 2, "inherit", "ipc"],
  });
  const what = [file, ...args].join(" ");
  await answer(child, what);
  return {
    ask(question) {
      child.send(question as object);
      return answer(child, what);
    },
    async close() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const ended = once(child, "exit");
      if (child.connected) child.disconnect();
      await ended;
    },
  };
}

function answer(child: ChildProcess, what: string): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const done = () => {
      child.off("message", heard);
      child.off("exit", ended);
    };
    const heard = (message: unknown) => {
      done();
      const got = message as Answer;
      if (got.type === "failed") reject(new Error(`${what}: ${got.message}`));
      else resolve(got.value);
    };
    const ended = (code: number | null, signal: string | null) => {
      done();
      reject(new Error(`${what}: its process ended with ${signal ?? code}`));
    };
    child.on("message", heard);
    child.on("exit", ended);
  });
}

/** The child's side: says that it is ready with `greeting`, answers until its parent lets go or is gone, and ends. */
export function answering(answer: (question: unknown) => Promise<unknown>, greeting: unknown = "ready"): void {
  process.on("message", (question) => {
    answer(question).then(
      (value) => process.send?.({ type: "answer", value }),
      (error: unknown) => {
        const message = error instanceof Error ? (error.stack ?? error.message) : String(error);
        process.send?.({ type: "failed", message });
      },
    );
  });
  process.on("disconnect", () => process.exit());
  process.send?.({ type: "answer", value: greeting });
}
