import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Sample, type Summary, summaryOf } from "./memory-series.js";

const program = fileURLToPath(new URL("../dist/memory.js", import.meta.url));
let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "millrace-memory-test-"));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

function memory(...args: readonly string[]): Promise<{ code: number; out: string }> {
  return new Promise((resolve) => {
    const child = execFile(process.execPath, [program, ...args], (_, out) =>
      resolve({ code: child.exitCode ?? -1, out }),
    );
  });
}

describe("npm run memory", () => {
  it("pauses a consumer, lets it catch up, and writes samples and a plot", { timeout: 120_000 }, async () => {
    const [csv, svg] = [join(dir, "samples.csv"), join(dir, "plot.svg")];
    const { code, out } = await memory("--minutes", "0.2", "--rate", "300", "--csv", csv, "--svg", svg, "--json");
    expect(code).toBe(0);
    const summary = JSON.parse(out) as Summary;
    expect(summary.rssMost).toBeGreaterThan(20);
    // Paused for two seconds of the twelve.
    expect(summary.lagMost).toBeGreaterThan(300);
    const [head, ...rows] = readFileSync(csv, "utf8").trim().split("\n");
    expect(head).toBe("second,rss,heapUsed,external,begun,acknowledged,counting,archive");
    expect(rows.length).toBeGreaterThan(10);
    expect(rows.at(-1)?.split(",").slice(-3)).toEqual(["3600", "3600", "3600"]);
    const plot = readFileSync(svg, "utf8");
    expect(plot).toMatch(/^<svg xmlns="http:\/\/www.w3.org\/2000\/svg" [^>]+>/);
    expect(plot.match(/<polyline /g)).toHaveLength(3);
    expect(plot).not.toContain("NaN");
  });

  it("says how it is used when it is asked for nonsense", async () => {
    expect(await memory("--minutes", "soon")).toMatchObject({ code: 2, out: "" });
  });
});

describe("a summary", () => {
  const samples = Array.from({ length: 600 }, (_, second): Sample => {
    const rss = (100 + second / 30) * 1024 ** 2;
    return { second, rss, heapUsed: 1, external: 1, begun: 0, acknowledged: 0, counting: 0, archive: 0, lagMost: 0 };
  });

  it("tells memory that grows from memory that is flat", () => {
    const pause = { from: 200, to: 300 };
    expect(summaryOf(samples, pause).rssSlope).toBeCloseTo(2);
    const flat = samples.map((sample) => ({ ...sample, rss: 1024 ** 2 }));
    expect(summaryOf(flat, pause).rssSlope).toBeCloseTo(0);
  });
});
