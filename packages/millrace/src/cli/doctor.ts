import type { Finding } from "../admin/admin.js";
import { reading, readingStored } from "./connect.js";
import { type ExitCode, exitCodes } from "./exit.js";
import type { CommonOptions } from "./options.js";
import { type Column, noteOrigin, openOutput, printRows, readFormat } from "./output.js";

const columns: readonly Column<Finding>[] = [
  { name: "", text: (finding) => (finding.ok ? "ok" : "NOT OK") },
  { name: "CHECK", text: (finding) => finding.check },
  { name: "DETAIL", text: (finding) => finding.detail },
];

/**
 * Checks what is stored, from this process, so that the running one is not held up; and asks the running one about itself.
 * Exit status 1 when something is not sound.
 */
export async function doctor(options: CommonOptions): Promise<ExitCode> {
  const output = openOutput(readFormat(options.output));
  const file = await readingStored(options, (admin) => admin.doctor());
  const process = await reading(options, (admin) => admin.doctor());
  const own = process.from === "process" ? process.findings : [];
  const findings = [...file.findings.filter(({ check }) => !own.some((finding) => finding.check === check)), ...own];
  const { from, asOf } = process;
  noteOrigin(output, process);
  printRows(output, { answer: { from, asOf, findings }, rows: findings, columns, none: "" });
  return findings.every(({ ok }) => ok) ? exitCodes.ok : exitCodes.failure;
}
