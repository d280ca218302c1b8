import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { type CampaignOptions, campaign, type Report } from "./campaign.js";

const usage = `Usage: npm run chaos -- --kills N [--seed S] [--processes P] [--rate R] [--fault NAME] [--aborts] [--dir DIR] [--json]

  --kills N      how many processes are killed (default 50)
  --seed S       repeats the choices of a run; the machine's timing is its own
  --processes P  how many work on the file at a time (default 3)
  --rate R       publishes and sends a second of each (default 60)
  --fault NAME   turns one of the product's guards off; see docs/chaos.md. The run is to find it: exit code 10
  --aborts       some events end the process that handles them
  --dir DIR      keeps the file and the records there; else they are kept only when something is broken
  --json         the report as one JSON object on standard output

Exit codes: 0 all promises were kept, 10 something is broken, 2 wrong usage.
`;

const say = (line: string) => void process.stderr.write(`${line}\n`);

interface Wishes extends Omit<CampaignOptions, "say"> {
  readonly json: boolean;
  readonly keep: boolean;
}

/** What the command line asks for. Undefined when it cannot be done. */
function read(): Wishes | undefined {
  const { values } = parseArgs({
    options: {
      kills: { type: "string", default: "50" },
      seed: { type: "string", default: String(Math.floor(performance.timeOrigin) % 2 ** 31) },
      processes: { type: "string", default: "3" },
      rate: { type: "string", default: "60" },
      fault: { type: "string" },
      aborts: { type: "boolean", default: false },
      dir: { type: "string" },
      json: { type: "boolean", default: false },
    },
  });
  const { fault, aborts, json } = values;
  const [kills, seed, processes, rate] = [values.kills, values.seed, values.processes, values.rate].map(Number) as [
    number,
    number,
    number,
    number,
  ];
  if (![kills, seed, processes, rate].every(Number.isSafeInteger) || processes < 1 || rate < 1) return undefined;
  const dir = values.dir === undefined ? mkdtempSync(join(tmpdir(), "millrace-chaos-")) : resolve(values.dir);
  return { dir, kills, seed, processes, rate, fault, aborts, json, keep: values.dir !== undefined };
}

function print(report: Report): void {
  const { invariants, killsOf, ...figures } = report;
  for (const [name, value] of Object.entries(figures)) say(`${name.padEnd(14)} ${value}`);
  say(`${"killsOf".padEnd(14)} ${JSON.stringify(killsOf)}`);
  for (const [name, state] of Object.entries(invariants)) say(`${name.padEnd(14)} ${state}`);
}

function wishes(): Wishes | undefined {
  try {
    return read();
  } catch (error) {
    say(error instanceof Error ? error.message : String(error));
    return undefined;
  }
}

const asked = wishes();
if (asked === undefined) {
  say(usage);
  process.exitCode = 2;
} else {
  const { dir, json, keep, ...options } = asked;
  say(`chaos: seed ${options.seed}, ${options.kills} kills, ${options.processes} processes, in ${dir}`);
  const report = await campaign({ ...options, dir, say });
  print(report);
  if (json) process.stdout.write(`${JSON.stringify(report)}\n`);
  const broken = Object.values(report.invariants).some((state) => state !== "ok");
  if (broken) {
    say(`chaos: broken; the file, the records and what the processes logged are in ${dir}`);
    process.exitCode = 10;
  } else if (!keep) rmSync(dir, { recursive: true, force: true });
}
