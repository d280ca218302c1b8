import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { type CampaignOptions, campaign, type Report } from "./campaign.js";
import { embeddedGround } from "./embedded-ground.js";
import type { Ground } from "./ground.js";

const usage = `Usage: npm run chaos -- --kills N [--seed S] [--processes P] [--rate R] [--engine E] [--brokers B]
                              [--fault NAME] [--aborts] [--dir DIR] [--json]

  --engine E     embedded (default): one file; kafka+postgres, or postgres: servers of its own, which it makes fail, too
  --brokers B    of Kafka: 1 (default) or 3
  --kills N      how many processes are killed (default 50)
  --seed S       repeats the choices of a run; the machine's timing is its own
  --processes P  how many work side by side (default 3)
  --rate R       publishes and sends a second of each (default 60)
  --fault NAME   turns one of the product's guards off; see docs/chaos.md. The run is to find it: exit code 10
  --aborts       some events end the process that handles them
  --dir DIR      keeps the records (and the file) there; else they are kept only when something is broken
  --json         the report as one JSON object on standard output

Exit codes: 0 all promises were kept, 10 something is broken, 2 wrong usage.
`;

const say = (line: string) => void process.stderr.write(`${line}\n`);

const engines = ["embedded", "postgres", "kafka+postgres"] as const;

interface Wishes extends Omit<CampaignOptions, "say" | "ground"> {
  readonly engine: (typeof engines)[number];
  readonly brokers: number;
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
      engine: { type: "string", default: "embedded" },
      brokers: { type: "string", default: "1" },
      fault: { type: "string" },
      aborts: { type: "boolean", default: false },
      dir: { type: "string" },
      json: { type: "boolean", default: false },
    },
  });
  const { fault, aborts, json } = values;
  const engine = engines.find((name) => name === values.engine);
  const numbers = [values.kills, values.seed, values.processes, values.rate, values.brokers].map(Number);
  const [kills, seed, processes, rate, brokers] = numbers as [number, number, number, number, number];
  if (engine === undefined || !numbers.every(Number.isSafeInteger) || processes < 1 || rate < 1) return undefined;
  if (brokers !== 1 && brokers !== 3) return undefined;
  const dir = values.dir === undefined ? mkdtempSync(join(tmpdir(), "millrace-chaos-")) : resolve(values.dir);
  return { dir, engine, brokers, kills, seed, processes, rate, fault, aborts, json, keep: values.dir !== undefined };
}

function print(report: Report): void {
  const { invariants, killsOf, upsets, ...figures } = report;
  for (const [name, value] of Object.entries(figures)) say(`${name.padEnd(14)} ${value}`);
  say(`${"killsOf".padEnd(14)} ${JSON.stringify(killsOf)}`);
  for (const [name, times] of Object.entries(upsets)) say(`${name}: ${times}`);
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

async function groundOf({ engine, dir, seed, brokers, fault }: Wishes): Promise<Ground> {
  if (engine === "embedded") return embeddedGround(dir);
  const { serverGround } = await import("./server-ground.js");
  return await serverGround({ engine, seed, brokers, overtaking: fault === "relay" });
}

const asked = wishes();
if (asked === undefined) {
  say(usage);
  process.exitCode = 2;
} else {
  const { dir, engine, brokers, json, keep, ...options } = asked;
  say(`chaos: seed ${options.seed}, ${options.kills} kills, ${options.processes} processes, ${engine}, in ${dir}`);
  const ground = await groundOf(asked);
  const report = await campaign({ ...options, ground, dir, say }).finally(() => ground.close());
  print(report);
  if (json) process.stdout.write(`${JSON.stringify(report)}\n`);
  const broken = Object.values(report.invariants).some((state) => state !== "ok");
  if (broken) {
    say(`chaos: broken; the file, the records and what the processes logged are in ${dir}`);
    process.exitCode = 10;
  } else if (!keep) rmSync(dir, { recursive: true, force: true });
}
