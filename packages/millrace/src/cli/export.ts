import { readFile } from "node:fs/promises";
import { text } from "node:stream/consumers";
import { isDeepStrictEqual } from "node:util";
import type { Admin } from "../admin/admin.js";
import { parseJson } from "../contract/limits.js";
import { Failure, isFailure } from "../failure/failure.js";
import { reasonFor } from "./ask.js";
import { acting, actor, reading } from "./connect.js";
import { type ExitCode, exitCodes } from "./exit.js";
import type { CommonOptions } from "./options.js";
import { openOutput, printOne, readFormat } from "./output.js";
import { plural } from "./text.js";
import { wholeNumber } from "./whole-number.js";

const pageRows = 500;

interface ExportOptions extends CommonOptions {
  readonly consumer?: string;
  readonly fingerprint?: string;
}

/** Prints dead letters as JSON lines, which can be edited and given to {@link importDeadLetters}. */
export async function exportDeadLetters(options: ExportOptions): Promise<void> {
  const output = openOutput("jsonl");
  const filter = {
    ...(options.consumer === undefined ? {} : { consumer: options.consumer }),
    ...(options.fingerprint === undefined ? {} : { fingerprint: options.fingerprint }),
  };
  for (let after = 0; ; ) {
    const page = await reading(options, (admin) => admin.deadLetters({ ...filter, after, limit: pageRows }));
    for (const { entry, consumer, failure, event } of page.entries) {
      const { id, type, version, key, time, data, bytes } = event;
      output.line(JSON.stringify({ entry, consumer, id, type, version, key, time, failure, data, bytes }));
    }
    const last = page.entries.at(-1);
    if (last === undefined || page.entries.length < pageRows) return;
    after = last.entry;
  }
}

/** Prints what a job keeps of what it has taken away, as JSON lines. */
export async function exportJob(id: string, options: CommonOptions): Promise<void> {
  const output = openOutput("jsonl");
  const job = wholeNumber(id, "JOB");
  for (let after = 0; ; ) {
    const { rows } = await reading(options, (admin) => admin.jobExport({ job, after, limit: pageRows }));
    for (const row of rows) output.line(JSON.stringify(row));
    const last = rows.at(-1);
    if (last === undefined || rows.length < pageRows) return;
    after = last.seq;
  }
}

interface ImportOptions extends CommonOptions {
  readonly reason?: string;
  readonly dryRun?: boolean;
}

/** What became of each line. Lines count from 1. */
interface ImportReport {
  readonly dryRun: boolean;
  readonly edited: readonly number[];
  readonly unchanged: number;
  readonly refused: readonly { readonly line: number; readonly problem: string }[];
}

/**
 * Puts the data of exported lines in place of the dead letters', each checked against its contract. A line that is
 * refused leaves its dead letter as it is, and the others go on.
 */
export async function importDeadLetters(file: string, options: ImportOptions): Promise<ExitCode> {
  const output = openOutput(readFormat(options.output));
  const lines = (await readLines(file)).split("\n");
  const dryRun = options.dryRun === true;
  const reason = dryRun ? "" : await reasonFor(options, options.reason);
  const report = await acting(options, (admin) => importLines(admin, lines, { reason, dryRun }));
  const { edited, unchanged, refused } = report;
  printOne(output, report, () => [
    `${dryRun ? "would edit" : "edited"} ${plural(edited.length, "dead letter")}, left ${unchanged} as they are, refused ${refused.length}`,
    ...(edited.length === 0 || dryRun ? [] : ["then: millrace dead-letters redrive …"]),
  ]);
  for (const { line, problem } of refused) output.note(`line ${line}: ${problem}`);
  if (refused.length === 0) return exitCodes.ok;
  return edited.length + unchanged === 0 ? exitCodes.refused : exitCodes.partial;
}

async function readLines(file: string): Promise<string> {
  if (file === "-") return text(process.stdin);
  try {
    return await readFile(file, "utf8");
  } catch (cause) {
    throw new Failure("NOT_FOUND", `cannot read ${file}`, { cause });
  }
}

async function importLines(
  admin: Admin,
  lines: readonly string[],
  how: { readonly reason: string; readonly dryRun: boolean },
): Promise<ImportReport> {
  const edited: number[] = [];
  const refused: ImportReport["refused"][number][] = [];
  let unchanged = 0;
  for (const [index, line] of lines.entries()) {
    if (line.trim() === "") continue;
    try {
      const entry = await importLine(admin, parseLine(line), how);
      if (entry === undefined) unchanged += 1;
      else edited.push(entry);
    } catch (error) {
      // What is wrong with the process, not with the line, ends the import.
      if (!isFailure(error) || !ofLine.has(error.code)) throw error;
      refused.push({ line: index + 1, problem: `${error.message} (${error.code})` });
    }
  }
  return { dryRun: how.dryRun, edited, unchanged, refused };
}

const ofLine: ReadonlySet<string> = new Set([
  "CONTRACT_REJECTED",
  "CONTRACT_UNKNOWN",
  "NOT_FOUND",
  "CONFLICT",
  "PAYLOAD_LIMIT",
  "RECORD_UNDECODABLE",
  "REQUEST_INVALID",
]);

interface Line {
  readonly entry: number;
  readonly id: string;
  readonly data: unknown;
}

function parseLine(line: string): Line {
  const { entry, id, data } = (parseJson(line, "the line") ?? {}) as Partial<Line>;
  if (typeof entry !== "number" || !Number.isSafeInteger(entry) || typeof id !== "string" || data === undefined)
    throw new Failure("REQUEST_INVALID", "it needs entry, id and data, as export writes them");
  return { entry, id, data };
}

/** The entry when it was edited, undefined when its data is what it was. */
async function importLine(
  admin: Admin,
  { entry, id, data }: Line,
  how: { readonly reason: string; readonly dryRun: boolean },
): Promise<number | undefined> {
  const { event } = (await admin.deadLetter({ entry })).entry;
  if (isDeepStrictEqual(event.data, data)) return undefined;
  if (event.id !== id)
    throw new Failure("CONFLICT", `entry ${entry} was edited since it was exported: it is ${event.id} now`);
  await admin.edit({ entry, data, actor: actor(), ...how });
  return entry;
}
