import { readFile } from "node:fs/promises";
import { text } from "node:stream/consumers";
import { parseJson } from "../contract/limits.js";
import { Failure, isFailure } from "../failure/failure.js";

/**
 * JSON given on the command line: as it stands, `@file`, or `-` for standard input, which is also read when nothing is
 * given and something is piped in.
 *
 * @throws {Failure} OPTION_INVALID when it is missing or not JSON; NOT_FOUND when the file is not there; PAYLOAD_LIMIT.
 */
export async function readData(given: string | undefined, option: string): Promise<unknown> {
  if (given === undefined && process.stdin.isTTY === true) {
    throw invalid(option, "is missing; write JSON, @file, or - to read standard input");
  }
  const written = given === undefined || given === "-" ? await text(process.stdin) : await literal(given);
  try {
    return parseJson(written, option);
  } catch (error) {
    if (!isFailure(error, "RECORD_UNDECODABLE")) throw error;
    throw invalid(option, `is not JSON: ${reasonOf(error.cause)}`);
  }
}

async function literal(given: string): Promise<string> {
  if (!given.startsWith("@")) return given;
  try {
    return await readFile(given.slice(1), "utf8");
  } catch (cause) {
    throw new Failure("NOT_FOUND", `cannot read ${given.slice(1)}`, { cause });
  }
}

/** Here the data is the reader's own, so that the parser may quote it. */
function reasonOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : "its bytes are not UTF-8";
}

/**
 * A copy of `data` with values replaced: `path=value`, dotted, where the value is JSON if it reads as such, else text.
 *
 * @throws {Failure} OPTION_INVALID when a path leads through something that has no fields.
 */
export function withSet(data: unknown, settings: readonly string[]): unknown {
  const copy: unknown = structuredClone(data);
  for (const setting of settings) {
    const [, path, value] = /^([^=]+)=(.*)$/s.exec(setting) ?? [];
    if (path === undefined || value === undefined)
      throw invalid("--set", `is ${JSON.stringify(setting)}; write path=value`);
    const names = path.split(".");
    const last = names.pop() as string;
    let at: unknown = copy;
    for (const name of names) at = fieldsOf(at, path)[name];
    fieldsOf(at, path)[last] = jsonOrText(value);
  }
  return copy;
}

function fieldsOf(value: unknown, path: string): Record<string, unknown> {
  if (typeof value === "object" && value !== null && !/(^|\.)__proto__(\.|$)/.test(path))
    return value as Record<string, unknown>;
  throw invalid("--set", `${path} leads through something that has no fields`);
}

function jsonOrText(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function invalid(option: string, problem: string): Failure {
  return new Failure("OPTION_INVALID", `${option} ${problem}`, { details: { option } });
}
