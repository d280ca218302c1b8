import { resolve } from "node:path";
import { acting } from "./connect.js";
import type { CommonOptions } from "./options.js";
import { openOutput, printOne, readFormat } from "./output.js";

/** Copies log and store, as of one moment, into a new file, while the process runs. */
export async function backup(file: string, options: CommonOptions): Promise<void> {
  const output = openOutput(readFormat(options.output));
  const report = await acting(options, (admin) => admin.backup({ file: resolve(file) }));
  const mebibytes = (report.bytes / 1024 / 1024).toFixed(1);
  printOne(output, report, () => [`wrote ${report.file}, ${mebibytes} MiB`]);
}
