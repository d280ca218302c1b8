import type { App, Extension, Running } from "../app/app.js";
import { createApp } from "../app/create.js";
import type { Engine } from "../engine/engine.js";
import type { Logger } from "../runtime/logger.js";
import type { Service } from "../service/service.js";
import type { Line } from "./trial.js";

/** An app in real time, on whatever engine, with a look inside. */
export interface RealTrial {
  readonly app: App;
  readonly running: Running;
  readonly lines: readonly Line[];
  /** Why a consumer has stopped; undefined while it goes on. */
  failureOf(consumer: string): string | undefined;
  stop(): Promise<void>;
}

/** What such an app is made of; without names, all of its services run. */
export interface RealOptions {
  readonly engine: Engine;
  readonly services: readonly Service[];
  readonly run?: readonly string[];
}

const open = new Set<RealTrial>();

/** Starts one. */
export async function realTrial({ engine, services, run }: RealOptions): Promise<RealTrial> {
  const lines: Line[] = [];
  let running: Running | undefined;
  const look: Extension = {
    name: "look",
    start: async (_, seen) => {
      running = seen;
    },
    stop: async () => {},
  };
  const app = createApp({ services, engine, logger: lined(lines), signals: false, drain: "2s" }, [look]);
  await app.start(run === undefined ? {} : { services: [...run] });
  const seen = running as unknown as Running;
  const trial: RealTrial = {
    app,
    running: seen,
    lines,
    failureOf: (consumer) => seen.consumers().find((status) => status.consumer === consumer)?.failure?.code,
    async stop() {
      open.delete(trial);
      await app.stop();
    },
  };
  open.add(trial);
  return trial;
}

/** Stops what the tests of a file have left running. */
export async function endRealTrials(): Promise<void> {
  for (const left of [...open]) await left.stop();
}

function lined(lines: Line[]): Logger {
  const write = (level: Line["level"]) => (fields: object, message: string) => {
    lines.push({ level, fields: { ...fields }, message });
  };
  const logger: Logger = {
    debug: write("debug"),
    info: write("info"),
    warn: write("warn"),
    error: write("error"),
    child: () => logger,
  };
  return logger;
}
