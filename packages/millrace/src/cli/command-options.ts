import type { Command } from "commander";
import type { ExitCode } from "./exit.js";

/** Takes the exit status of a command that has one. */
export type Finish = (result: ExitCode | void) => void;

/** Examples below a command's help. */
export function examples(...lines: readonly string[]): string {
  return `\nExamples:\n${lines.map((line) => `  $ millrace ${line}`).join("\n")}`;
}

/** Options of every command that asks about an app. */
export function about(command: Command): Command {
  return command
    .option("--dir <folder>", "the folder of the app's data", process.env.MILLRACE_DIR?.trim() || ".millrace")
    .option("-o, --output <format>", "table, json or jsonl", "table")
    .option("--timeout <duration>", "how long the process may take to answer", "10s")
    .option("--no-input", "ask nothing");
}

/** Options of every command that changes something. */
export function changing(command: Command): Command {
  return about(command)
    .option("--reason <text>", "why; kept in the audit record")
    .option("--dry-run", "count what would be changed, and change nothing")
    .option("--yes", "do not ask for confirmation");
}

/** Options of every command that changes dead letters, by number or by what they have in common. */
export function selecting(command: Command): Command {
  return changing(command)
    .option("--consumer <name>", "all of one consumer")
    .option("--fingerprint <kind>", "all of one kind")
    .option("--all", "all there are");
}
