import { createRequire } from "node:module";
import type { Logger as Pino } from "pino";

/** Structured lines for operators. Fields hold no personal data. */
export interface Logger {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
  /** A logger that adds these fields to every line. */
  child(fields: object): Logger;
}

/** The least severe level that is written. */
export type LogLevel = "debug" | "info" | "warn" | "error" | "silent";

/** JSON lines on standard error, so that standard output stays the program's own. Pino is loaded at the first line. */
export function pinoLogger(level: LogLevel = "info"): Logger {
  let root: Pino | undefined;
  return around(() => {
    root ??= openPino(level);
    return root;
  });
}

function openPino(level: LogLevel): Pino {
  const { pino } = createRequire(import.meta.url)("pino") as typeof import("pino");
  return pino({ level, base: null }, pino.destination(2));
}

function around(open: () => Pino): Logger {
  return {
    debug: (fields, message) => open().debug(fields, message),
    info: (fields, message) => open().info(fields, message),
    warn: (fields, message) => open().warn(fields, message),
    error: (fields, message) => open().error(fields, message),
    child: (fields) => {
      let child: Pino | undefined;
      return around(() => {
        child ??= open().child(fields);
        return child;
      });
    },
  };
}

/** Says nothing; for tests. */
export const silentLogger: Logger = {
  debug() {},
  info() {},
  warn() {},
  error() {},
  child: () => silentLogger,
};
