import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { trialServers } from "../../packages/millrace/src/testing/trial-services.js";
import type { Report } from "./campaign.js";

const program = fileURLToPath(new URL("../dist/main.js", import.meta.url));
const seed = Number(process.env.CHAOS_SEED ?? Math.floor(performance.timeOrigin) % 2 ** 31);
const kills = 50;

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "millrace-chaos-test-"));
  console.log(`chaos: seed ${seed} (set CHAOS_SEED to repeat its choices)`);
});
afterEach((context) => {
  if (context.task.result?.state === "fail") console.log(`chaos: what is left is in ${dir}`);
  else rmSync(dir, { recursive: true, force: true });
});

/** Runs the program as a user would. */
async function chaos(...args: readonly unknown[]): Promise<{ readonly code: number; readonly report: Report }> {
  const child = spawn(process.execPath, [program, "--json", "--dir", dir, ...args.map(String)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [output, [code]] = await Promise.all([text(child.stdout), once(child, "exit") as Promise<[number]>]);
  return { code, report: JSON.parse(output) as Report };
}

function brokenIn({ invariants }: Report) {
  return Object.entries(invariants).filter(([, state]) => state !== "ok");
}

const postgres = await trialServers("postgres");
const kafka = await trialServers("kafka/1");
const withServers = postgres !== undefined && kafka !== undefined;
if (!withServers) console.info("skipped: no Kafka with PostgreSQL");

describe.skipIf(!withServers)("three processes on Kafka and PostgreSQL", () => {
  const few = 20;
  it(`lose, double and reorder nothing when ${few} of them are killed, and servers and connections fail beside them`, {
    timeout: 600_000,
  }, async () => {
    const { code, report } = await chaos("--engine", "kafka+postgres", "--kills", few, "--seed", seed);
    expect(brokenIn(report)).toEqual([]);
    expect([code, report.lost, report.duplicated, report.reordered]).toEqual([0, 0, 0, 0]);
    expect(report.killsAfterAck).toBeGreaterThanOrEqual(few / 2);
  });
});

describe("three processes on one file", () => {
  it(`lose, double and reorder nothing when ${kills} of them are killed or frozen in the middle of their work`, {
    timeout: 420_000,
  }, async () => {
    const { code, report } = await chaos("--kills", kills, "--seed", seed);
    expect(brokenIn(report)).toEqual([]);
    expect([code, report.lost, report.duplicated, report.reordered]).toEqual([0, 0, 0, 0]);
    expect(report.kills).toBeGreaterThanOrEqual(kills);
    expect(report.killsAfterAck).toBeGreaterThanOrEqual(report.kills / 2);
  });

  // No kill may have met the middle of a commit, and a file that is spoiled early may keep a consumer from applying anything: then
  // nothing was lost or doubled, and another run shows it.
  it("are caught when a commit is not one transaction", { timeout: 300_000 }, async () => {
    let found = 0;
    for (let run = 0; run < 6 && found === 0; run += 1) {
      const faulty = ["--kills", 25, "--rate", 120, "--fault", "atomic"];
      const { code, report } = await chaos(...faulty, "--seed", seed + run, "--dir", join(dir, String(run)));
      found = report.lost + report.duplicated;
      const broken = brokenIn(report).length > 0;
      expect(code).toBe(broken ? 10 : 0);
      if (found > 0) expect(broken).toBe(true);
    }
    expect(found).toBeGreaterThan(0);
  });
});
