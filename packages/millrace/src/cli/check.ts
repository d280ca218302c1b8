import { problemsOf, stuckSagas } from "../admin/check.js";
import { type Duration, durationMs } from "../runtime/duration.js";
import { acting } from "./connect.js";
import { type ExitCode, exitCodes } from "./exit.js";
import type { CommonOptions } from "./options.js";
import { openOutput, printOne, readFormat } from "./output.js";
import { plural, safe } from "./text.js";
import { wholeNumber } from "./whole-number.js";

/** More of them are no more news. */
const stuckMax = 1_000;

interface CheckOptions extends CommonOptions {
  readonly lag: string;
  readonly deadLetters: string;
}

/** Says what is wrong, the first cause first, and whether a threshold is exceeded. */
export async function check(options: CheckOptions): Promise<ExitCode> {
  const output = openOutput(readFormat(options.output));
  const thresholds = {
    lagMs: durationMs(options.lag as Duration, "--lag"),
    deadLetters: wholeNumber(options.deadLetters, "--dead-letters", 0),
  };
  const { asOf, consumers } = await acting(options, (admin) => admin.consumers());
  const { sagas } = await acting(options, (admin) => admin.sagas({ status: "stuck", limit: stuckMax }));
  const problems = [...problemsOf(consumers, thresholds), ...stuckSagas(sagas)];
  const ok = problems.every(({ exceeded }) => !exceeded);
  printOne(output, { asOf, ok, thresholds, consumers: consumers.length, problems }, () => [
    ...(ok ? [`fine: ${plural(consumers.length, "consumer")} within the thresholds`] : []),
    ...problems.map(({ sentence, exceeded }) => output.paint(exceeded ? "red" : "yellow", safe(sentence))),
  ]);
  return ok ? exitCodes.ok : exitCodes.threshold;
}
