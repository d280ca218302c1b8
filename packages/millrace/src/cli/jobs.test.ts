import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { price } from "../main/trial-app.js";
import type { Job } from "../store/jobs.js";
import { Drawing, progressLine, Rates } from "./jobs-watch.js";
import { Trial } from "./trial.js";

vi.setConfig({ testTimeout: 120_000, hookTimeout: 60_000 });

const jobAt = (succeeded: number, more: Partial<Job> = {}): Job => ({
  job: 7,
  kind: "redrive",
  state: "running",
  selection: "all",
  force: false,
  reason: "mended",
  actor: "ann",
  created: 0,
  step: 1,
  steps: 1,
  items: { pending: 200 - succeeded, redriven: 0, succeeded, died: 0, gone: 0, skipped: 0 },
  exported: 0,
  ...more,
});

describe("the progress of a job", () => {
  it("has the rate of the last seconds, and how long the rest takes at that", () => {
    const rates = new Rates();
    expect(progressLine(rates.progressOf(jobAt(0), 0), false)).toBe("job 7  0 %  0/200");
    expect(progressLine(rates.progressOf(jobAt(20), 1_000), false)).toBe("job 7  10 %  20/200  20/s  9 s left");
    // Twenty a second at first, one a second since: what counts is the last ten seconds.
    for (let at = 2; at <= 20; at += 1) rates.progressOf(jobAt(20 + at), at * 1_000);
    expect(progressLine(rates.progressOf(jobAt(41), 21_000), true)).toBe(
      "job 7  [#####-------------------]  20 %  41/200  1.0/s  2.6 min left",
    );
  });

  it("says what has died again, and why it pauses", () => {
    const items = { pending: 100, redriven: 0, succeeded: 90, died: 10, gone: 0, skipped: 0 };
    const paused = jobAt(90, { state: "paused", note: "10 of 100 in step 5 of the ladder died again", items });
    expect(progressLine(new Rates().progressOf(paused, 0), false)).toBe(
      "job 7  50 %  100/200  10 died again  paused: 10 of 100 in step 5 of the ladder died again",
    );
  });

  it("is a line per tenth where there is no terminal, and one bar that moves on a terminal", () => {
    const drawn = (columns: number | undefined) => {
      const written: string[] = [];
      const [drawing, rates] = [new Drawing({ columns, write: (text) => void written.push(text) }), new Rates()];
      for (let n = 0; n <= 200; n += 1)
        drawing.draw([rates.progressOf(jobAt(n, n === 200 ? { state: "done" } : {}), n * 100)]);
      return written;
    };
    const lines = drawn(undefined);
    expect(lines.map((line) => /(\d+) %/.exec(line)?.[1])).toEqual([
      "0",
      "10",
      "20",
      "30",
      "40",
      "50",
      "60",
      "70",
      "80",
      "90",
      "100",
    ]);
    const bars = drawn(60);
    expect(bars).toHaveLength(201);
    expect(bars.slice(1).every((bar) => bar.startsWith("\u001b[1A\u001b[2K") && bar.length < 75)).toBe(true);
  });
});

describe("jobs, in a running app", () => {
  let trial: Trial;
  beforeAll(async () => {
    trial = new Trial();
    const url = await trial.start();
    await Promise.all(
      Array.from({ length: 30 }, (_, n) =>
        fetch(`${url}/orders`, {
          method: "POST",
          headers: { "content-type": "application/json" },
          body: JSON.stringify({ orderId: `w-${n}`, pence: price.rejected }),
        }),
      ),
    );
    await vi.waitFor(async () => expect(await letters()).toHaveLength(30), { timeout: 30_000, interval: 50 });
  });
  afterAll(() => trial.remove());

  async function letters(): Promise<readonly Record<string, unknown>[]> {
    const { stdout } = await trial.run("dead-letters", "export");
    return stdout.split("\n").flatMap((line) => (line === "" ? [] : [JSON.parse(line) as Record<string, unknown>]));
  }

  it("a seek keeps what waited with a job, which prints it as JSON lines", async () => {
    const seek = await trial.run("consumers", "seek", "payments", "--to", "beginning", "--reason", "r", "--yes");
    const job = /jobs export (\d+)/.exec(seek.stdout)?.[1] ?? "";
    const exported = await trial.run("jobs", "export", job);
    expect(exported.code).toBe(0);
    const rows = exported.stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(rows).toHaveLength(30);
    expect(rows[0]).toMatchObject({ seq: 1, kind: "entry", state: "dead", event: { data: { pence: price.rejected } } });
    expect((await trial.run("jobs", "show", job)).stdout).toMatch(/^job +1, seek that took 30 events and timers away/);
    expect((await trial.run("jobs", "export", "99")).code).toBe(3);
    expect((await trial.run("jobs", "cancel", job, "--reason", "r")).code).toBe(4);
    await vi.waitFor(async () => expect(await letters()).toHaveLength(30), { timeout: 30_000, interval: 50 });
  });

  it("are watched until they end: lines on standard error, the job on standard output", async () => {
    const lines = (await letters()).map((letter) =>
      JSON.stringify({ ...letter, data: { orderId: letter.key, pence: 5 } }),
    );
    await trial.runWith(
      { input: lines.join("\n") },
      "dead-letters",
      "import",
      "-",
      "--reason",
      "r",
      "--dir",
      trial.dir,
    );
    const redrive = ["dead-letters", "redrive", "--consumer", "payments", "--rate", "15/s", "--reason", "r", "--yes"];
    const job = /^job (\d+)/.exec((await trial.run(...redrive)).stdout)?.[1] ?? "";
    const watched = await trial.run("jobs", "show", job, "--watch", "-o", "json");
    expect(watched.code).toBe(0);
    expect(JSON.parse(watched.stdout)).toMatchObject({ job: { state: "done", items: { succeeded: 30 } } });
    const said = watched.stderr.trim().split("\n");
    expect(said.length).toBeGreaterThan(1);
    expect(said.at(-1)).toBe(`job ${job}  100 %  30/30  done`);
    expect((await trial.run("jobs", "ls", "--watch")).code).toBe(0);
  });

  it("exit 8 when they pause, and draw a bar on a terminal", async (context) => {
    const publish = ["publish", "order.placed", JSON.stringify({ orderId: "again", pence: price.rejected })];
    await trial.run(...publish);
    await vi.waitFor(async () => expect(await letters()).toHaveLength(1), { timeout: 30_000, interval: 50 });
    const redrive = ["dead-letters", "redrive", "--all", "--reason", "r", "--yes"];
    const job = /^job (\d+)/.exec((await trial.run(...redrive)).stdout)?.[1] ?? "";
    expect((await trial.run("jobs", "show", job, "--watch")).code).toBe(8);
    if (spawnSync("script", ["--version"]).status !== 0) context.skip("script, which plays a terminal, is not there");
    const main = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));
    const command = `${process.execPath} ${main} jobs show ${job} --watch --dir ${trial.dir}`;
    const { stdout } = spawnSync("script", ["-qec", command, "/dev/null"], { encoding: "utf8" });
    expect(stdout).toMatch(/\[#{24}\]\s+100 %\s+1\/1\s+1 died again/);
  });
});
