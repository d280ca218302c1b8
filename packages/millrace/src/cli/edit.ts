import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseJson } from "../contract/limits.js";
import { Failure } from "../failure/failure.js";
import { canAsk, reasonFor } from "./ask.js";
import { acting, actor } from "./connect.js";
import { readData, withSet } from "./data.js";
import type { CommonOptions } from "./options.js";
import { openOutput, printOne, readFormat } from "./output.js";
import { wholeNumber } from "./whole-number.js";

interface EditOptions extends CommonOptions {
  readonly data?: string;
  readonly set?: readonly string[];
  readonly reason?: string;
  readonly dryRun?: boolean;
}

/** Puts other data in place of a dead letter's, checked against its contract; a redrive then uses it. */
export async function editDeadLetter(entry: string, options: EditOptions): Promise<void> {
  const output = openOutput(readFormat(options.output));
  const number = wholeNumber(entry, "ENTRY");
  if (options.data !== undefined && options.set !== undefined) {
    throw new Failure("OPTION_INVALID", "give --data or --set, not both", { details: { option: "--data" } });
  }
  const data = await newData(number, options);
  const dryRun = options.dryRun === true;
  const reason = dryRun ? "" : await reasonFor(options, options.reason);
  const report = await acting(options, (admin) => admin.edit({ entry: number, data, reason, actor: actor(), dryRun }));
  const next = `then: millrace dead-letters redrive ${number} --reason "…"`;
  printOne(output, report, () => [
    dryRun ? `would edit ${number}: the data fits its contract` : `edited ${number}, new id ${report.id}; ${next}`,
  ]);
}

async function newData(entry: number, options: EditOptions): Promise<unknown> {
  if (options.data !== undefined) return readData(options.data, "--data");
  const { entry: found } = await acting(options, (admin) => admin.deadLetter({ entry }));
  const present = found.event.data ?? {};
  if (options.set !== undefined) return withSet(present, options.set);
  const editor = process.env.VISUAL || process.env.EDITOR;
  if (!canAsk(options) || !editor) {
    throw new Failure(
      "OPTION_INVALID",
      "give the new data: --data '{…}', --data @file or --set path=value; or set EDITOR on a terminal",
      {
        details: { option: "--data" },
      },
    );
  }
  return inEditor(editor, present);
}

/** In a folder that nobody else can read. */
async function inEditor(editor: string, present: unknown): Promise<unknown> {
  const folder = await mkdtemp(join(tmpdir(), "millrace-edit-"));
  try {
    const file = join(folder, "data.json");
    const before = `${JSON.stringify(present, undefined, 2)}\n`;
    await writeFile(file, before, { mode: 0o600 });
    await new Promise<void>((resolve, reject) => {
      // An editor is named with its arguments, like "code --wait", which is the shell's to take apart.
      const child = spawn(`${editor} "${file}"`, { shell: true, stdio: "inherit" });
      child.once("error", reject);
      child.once("exit", (code) =>
        code === 0
          ? resolve()
          : reject(new Failure("COMMAND_REFUSED", `the editor ended with ${code}; nothing was changed`)),
      );
    });
    const after = await readFile(file, "utf8");
    if (after === before) throw new Failure("COMMAND_REFUSED", "the data was left as it is; nothing was changed");
    return parseJson(after, "the edited data");
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
