import type { EntrySelection, JobReport } from "../admin/admin.js";
import { parseQuery } from "../admin/query.js";
import { confirm, reasonFor } from "./ask.js";
import { acting, actor } from "./connect.js";
import { type ActOptions, redriveEntries } from "./dead-letters.js";
import { joined } from "./events.js";
import { type ExitCode, exitCodes } from "./exit.js";
import { readRate } from "./jobs.js";
import { openOutput, printOne, readFormat } from "./output.js";
import { plural } from "./text.js";

interface RedriveOptions extends ActOptions {
  readonly rate?: string;
  readonly force?: boolean;
}

/** Gives dead letters another run, in order: those that are named by number at once, a selection of them as a job. */
export async function redriveDeadLetters(terms: readonly string[], options: RedriveOptions): Promise<ExitCode> {
  const numbered = terms.length > 0 && terms.every((term) => /^\d+$/.test(term));
  if (numbered && options.rate === undefined) return redriveEntries(terms, options);
  const output = openOutput(readFormat(options.output));
  const rate = options.rate === undefined ? undefined : readRate(options.rate, "--rate");
  const args = {
    ...(numbered ? { entries: terms.map(Number) } : selectionOf(terms, options)),
    selection: selectionText(terms, options),
    actor: actor(),
    force: options.force === true,
    ...(rate === undefined ? {} : { rate }),
  };
  const preview = await acting(options, (admin) => admin.redriveJob({ ...args, reason: "", dryRun: true }));
  const size = `${plural(preview.matched, "dead letter")} in ${plural(preview.keys, "lane")}`;
  if (options.dryRun === true || preview.matched === 0) {
    printOne(output, preview, () =>
      preview.matched === 0 ? ["nothing to redrive"] : [`would redrive ${size} as a job`, ...unfitLines(preview)],
    );
    return exitCodes.ok;
  }
  for (const line of unfitLines(preview)) output.note(line);
  const reason = await reasonFor(options, options.reason);
  await confirm(options, `Redrive ${size} as a job?`);
  const report = await acting(options, (admin) => admin.redriveJob({ ...args, reason }));
  printOne(output, report, () => [
    `job ${report.job} redrives ${plural(report.changed, "dead letter")}; see: millrace jobs show ${report.job}`,
  ]);
  return exitCodes.ok;
}

function selectionOf(terms: readonly string[], { consumer, fingerprint, all }: ActOptions): EntrySelection {
  return {
    ...(terms.length === 0 ? {} : { events: parseQuery(joined(terms), Date.now()) }),
    ...(consumer === undefined ? {} : { consumer }),
    ...(fingerprint === undefined ? {} : { fingerprint }),
    ...(all === undefined ? {} : { all }),
  };
}

function selectionText(terms: readonly string[], { consumer, fingerprint, all }: ActOptions): string {
  const parts = [
    ...terms,
    ...(consumer === undefined ? [] : [`--consumer ${consumer}`]),
    ...(fingerprint === undefined ? [] : [`--fingerprint ${fingerprint}`]),
    ...(all === undefined ? [] : ["--all"]),
  ];
  return parts.join(" ").slice(0, 1_000);
}

function unfitLines({ unfit, unfitCount }: JobReport): readonly string[] {
  if (unfitCount === 0) return [];
  return [
    `${unfitCount} of them do not fit their contract and will die again; edit them first:`,
    ...unfit.map(({ entry, problem }) => `  entry ${entry}: ${problem}`),
  ];
}
