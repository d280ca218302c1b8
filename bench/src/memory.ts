import { execFile, spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { parseArgs, promisify } from "node:util";
import { cli } from "./cli.js";
import { plotOf } from "./memory-plot.js";
import { csvOf, type Sample, type Summary, summaryOf } from "./memory-series.js";
import { program, say } from "./program.js";

const usage = `Usage: npm run memory -- [--minutes 18] [--rate 10000] [--csv FILE] [--svg FILE] [--json]

  Publishes so many events a second for so long, handles each in two consumers, one of which is paused for a sixth of the
  time, from a third on; and samples the memory of the process each second.

  --csv FILE   the samples
  --svg FILE   a plot of them
  --json       what came of it as one JSON object on standard output
`;
const watched = fileURLToPath(new URL("./memory-process.js", import.meta.url));

interface Wishes {
  readonly minutes: number;
  readonly rate: number;
  readonly csv: string | undefined;
  readonly svg: string | undefined;
  readonly json: boolean;
}

function read(): Wishes {
  const { values } = parseArgs({
    options: {
      minutes: { type: "string", default: "18" },
      rate: { type: "string", default: "10000" },
      csv: { type: "string" },
      svg: { type: "string" },
      json: { type: "boolean", default: false },
    },
  });
  const [minutes, rate] = [Number(values.minutes), Number(values.rate)];
  if (!(minutes > 0 && rate > 0)) throw new Error("--minutes and --rate are numbers above 0");
  return { minutes, rate, csv: values.csv, svg: values.svg, json: values.json };
}

async function turn(verb: "pause" | "resume", dir: string): Promise<void> {
  const args = [cli, "consumers", verb, "archive", "--dir", dir, "--reason", "the memory run", "--yes"];
  await promisify(execFile)(process.execPath, args);
}

async function measure({ minutes, rate, csv, svg }: Wishes): Promise<Summary> {
  const dir = mkdtempSync(join(tmpdir(), "millrace-memory-"));
  process.once("exit", () => rmSync(dir, { recursive: true, force: true }));
  const seconds = Math.max(1, Math.round(minutes * 60));
  const wanted = { from: Math.round(seconds / 3), to: Math.round(seconds / 3) + Math.max(1, Math.round(seconds / 6)) };
  const pause = { from: wanted.from, to: wanted.to };
  const samples: Sample[] = [];
  const child = spawn(process.execPath, [watched, join(dir, "data"), String(rate), String(seconds)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const ended = new Promise<number | null>((resolve) => child.once("exit", resolve));
  let paused = false;
  for await (const line of createInterface({ input: child.stdout })) {
    const sample = JSON.parse(line) as Sample;
    samples.push(sample);
    if (samples.length % 60 === 0)
      say(`memory: ${sample.second} s, ${sample.acknowledged} events, ${Math.round(sample.rss / 1024 ** 2)} MiB`);
    const verb: "pause" | "resume" =
      !paused && sample.second >= wanted.from && sample.second < wanted.to ? "pause" : "resume";
    if (verb === "resume" && (!paused || sample.second < wanted.to)) continue;
    paused = verb === "pause";
    await turn(verb, join(dir, "data"));
    pause[paused ? "from" : "to"] = sample.second;
  }
  if ((await ended) !== 0) throw new Error("the watched process failed");
  if (csv !== undefined) writeFileSync(csv, `${csvOf(samples)}\n`);
  if (svg !== undefined) writeFileSync(svg, plotOf(samples, pause));
  return summaryOf(samples, pause);
}

async function run(wishes: Wishes): Promise<void> {
  const summary = await measure(wishes);
  if (wishes.json) process.stdout.write(`${JSON.stringify(summary)}\n`);
  for (const [name, value] of Object.entries(summary)) say(`${name.padEnd(10)} ${Math.round(value * 10) / 10}`);
}

await program({ usage, read, run });
