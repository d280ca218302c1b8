import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { Report } from "../analytics/report.js";
import { makeSample } from "./sample.js";

/** The built program: a process that is killed must be one of its own. */
const program = resolve(import.meta.dirname, "../../dist/replay.js");
/** With it, a process that is to be killed does not end in another way. */
const doomed = [
  "--import",
  new URL("../../../../packages/millrace/dist/testing/faults-doomed.js", import.meta.url).href,
];

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "millrace-replay-"));
});
afterAll(() => rm(dir, { recursive: true }));

/** A file, and the flags with which it is replayed. */
interface Replay {
  readonly file: string;
  readonly flags: readonly string[];
}

function start({ file, flags }: Replay, before: readonly string[] = []): ChildProcess {
  const args = [...before, program, file, ...flags, "--data-dir", join(dir, `data${flags.join("")}`), "--json"];
  return spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe"] });
}

/** Kills the replay with -9 once it says that it has come so far: invoices are on the disk, the shop is amid them. */
async function killAt(percent: number, run: Replay): Promise<void> {
  const child = start(run, doomed);
  const ended = once(child, "exit");
  let line = "no progress was shown";
  for await (line of createInterface({ input: child.stderr ?? process.stdin })) {
    if (Number.parseInt(line, 10) >= percent) break;
  }
  child.kill("SIGKILL");
  const [, signal] = (await ended) as [number | null, string | null];
  expect(signal, line).toBe("SIGKILL");
}

async function finish(run: Replay): Promise<Report> {
  const child = start(run);
  let [out, err] = ["", ""];
  child.stdout?.setEncoding("utf8").on("data", (text: string) => (out += text));
  child.stderr?.setEncoding("utf8").on("data", (text: string) => (err += text));
  const [code] = (await once(child, "close")) as [number | null];
  expect(code, err).toBe(0);
  return JSON.parse(out) as Report;
}

it.each([[[]], [["--orchestrated", "--event-sourced"]]])(
  "equals the answers after kill -9 at five moments on the way: %j",
  async (flags) => {
    const { csv, answers } = makeSample(800);
    const file = join(dir, "sample.csv");
    await writeFile(file, csv);
    const run = { file, flags };
    for (const percent of [10, 30, 50, 70, 90]) await killAt(percent, run);
    expect(await finish(run)).toEqual(answers);
    // And once more on what is complete.
    expect(await finish(run)).toEqual(answers);
  },
  180_000,
);
