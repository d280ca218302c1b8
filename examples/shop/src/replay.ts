import { parseArgs } from "node:util";
import { engineFromEnv, isFailure } from "millrace";
import { startOutside } from "./outside/outside.js";
import { digestOf } from "./replay/file.js";
import { historicalShop } from "./replay/history.js";
import { replay } from "./replay/run.js";
import { claimDir, defaultDir, type Style, styleFlags, styleOf, styleUsage } from "./style.js";

const usage = `Usage: npm run shop:replay -- FILE [--orchestrated] [--event-sourced] [--data-dir DIR] [--rate N] [--json]

Sends the invoices of FILE (CSV, plain or gzip) through the whole shop as orders, cancellations and
adjustments, waits until all is at rest, and prints the report from the read models.
The same command again goes on where it was, also after kill -9: invoices are never counted twice.

${styleUsage}
  --data-dir DIR   where the shop's data is (default: .millrace/replay-<digest of FILE>, in a folder of
                   its own for each further style)
  --rate N         invoices a second (default: as fast as they go)
  --json           print the report and nothing else
`;

/** Exit codes as the millrace command's: 1 failure, 2 usage. */
async function main(): Promise<number> {
  const options = arguments_();
  if (typeof options === "string") {
    process.stderr.write(`${options}\n\n${usage}`);
    return 2;
  }
  const { file, rate, json, style } = options;
  const dir = options.dataDir ?? `${defaultDir(style)}/replay-${await digestOf(file)}`;
  await claimDir(dir, style);
  const outside = await startOutside();
  const app = historicalShop({ engine: engineFromEnv({ ...process.env, MILLRACE_DIR: dir }), outside, style });
  try {
    await app.start();
    const answers = await replay(app, { file, rate, terminal: process.stderr });
    process.stdout.write(`${JSON.stringify(answers, undefined, 1)}\n`);
    if (!json)
      process.stderr.write(`The data is in ${dir}; look around with: npx millrace consumers ls --dir ${dir}\n`);
    return 0;
  } finally {
    await app.stop();
    await outside.stop();
  }
}

interface Arguments {
  readonly file: string;
  readonly dataDir: string | undefined;
  readonly rate: number | undefined;
  readonly json: boolean;
  readonly style: Style;
}

function arguments_(): Arguments | string {
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: {
        "data-dir": { type: "string" },
        rate: { type: "string" },
        json: { type: "boolean", default: false },
        ...styleFlags,
      },
    });
    const [file, ...more] = positionals;
    if (file === undefined || more.length > 0) return "one FILE is needed";
    const rate = values.rate === undefined ? undefined : Number(values.rate);
    if (rate !== undefined && !(rate > 0)) return `--rate is ${JSON.stringify(values.rate)}, not a number above 0`;
    return { file, dataDir: values["data-dir"], rate, json: values.json, style: styleOf(values) };
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

function reason(error: unknown): string {
  if (isFailure(error, "APP_STOPPED")) return "stopped; the same command goes on from here";
  if (isFailure(error)) return `replay failed: ${error.code}: ${error.message}`;
  return `replay failed: ${error instanceof Error ? error.message : String(error)}`;
}

try {
  process.exitCode = await main();
} catch (error) {
  // Below the progress bar, if one was drawn.
  process.stderr.write(`${process.stderr.isTTY ? "\n" : ""}${reason(error)}\n`);
  process.exitCode = 1;
}
