import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { z } from "zod";
import type { Part } from "../consumer/part.js";
import { event } from "../contract/event.js";
import { topic } from "../contract/topic.js";
import { embedded } from "../embedded/embedded.js";
import { type MillraceApp, millrace } from "../main/millrace.js";
import { projection } from "../projection/projection.js";
import { sqlProjection } from "../projection/sql.js";
import { silentLogger } from "../runtime/logger.js";
import { service } from "../service/declare.js";
import { otherProgram } from "../testing/trial.js";
import { run } from "./program.js";

const Step = z.object({ id: z.string(), n: z.int() });
const steps = topic("steps", { key: "id", partitions: 2, events: { taken: event("step.taken", Step) } });
const sums = (version: number, factor = 1) =>
  projection("sums", { version, row: z.object({ sum: z.int() }) }).on(steps.taken, (row, { data }) => ({
    sum: (row?.sum ?? 0) + factor * data.n,
  }));
const days = sqlProjection("days", { version: 1, tables: { days: "(day TEXT PRIMARY KEY)" } }).on(
  steps.taken,
  ({ data }, { sql, tables }) => sql`INSERT INTO ${tables.days} VALUES (${data.id}) ON CONFLICT DO NOTHING`,
);

let dir: string;
let app: MillraceApp;
let printed: string[];
let noted: string[];

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), "millrace-projections-"));
  app = await started([sums(1), days]);
  await app.publish(Array.from({ length: 40 }, (_, n) => steps.taken({ id: `k-${n % 20}`, n })));
  await app.settled();
  vi.spyOn(process.stdout, "write").mockImplementation((text) => printed.push(String(text)) > 0);
  vi.spyOn(process.stderr, "write").mockImplementation((text) => noted.push(String(text)) > 0);
});
afterEach(async () => {
  vi.restoreAllMocks();
  await app.stop();
  rmSync(dir, { recursive: true, force: true });
});

type Views = readonly Part[];

async function started(views: Views): Promise<MillraceApp> {
  const services = [service("owner").owns(steps), service("views").owns(...views)];
  const made = millrace({ services, engine: embedded(dir), logger: silentLogger, signals: false });
  await made.start();
  await made.settled();
  return made;
}

/** Stops, and starts with other views on the same file. */
async function deployed(...views: Views): Promise<void> {
  await app.stop();
  app = await started(views);
}

/** The real command line, in this process. */
async function projections(...args: readonly string[]) {
  [printed, noted] = [[], []];
  const code = await run(["projections", ...args, "--dir", dir, "--no-input"], "0.0.0");
  return { code, out: printed.join(""), err: noted.join("") };
}
const why = ["--reason", "a test", "--yes"] as const;

describe("millrace projections", () => {
  it("lists builds and shows one, also from the file alone", async () => {
    const { code, out } = await projections("ls");
    expect(code).toBe(0);
    expect(out).toMatch(/^PROJECTION +SERVICE +STATE +DONE +ETA +LAG +EVENTS +DEAD\ndays@1 +views +live +100 %/);
    expect(out).toMatch(/\nsums@1 +views +live +100 %/);
    const rows = (await projections("ls", "-o", "jsonl")).out.trim().split("\n");
    expect(rows.map((row) => (JSON.parse(row) as { projection: string }).projection)).toEqual(["days@1", "sums@1"]);
    expect((await projections("show", "sums")).out).toMatch(
      /^projection sums@1 of views\nstate +live since .*\nmade .*\nconsumer +views\.sums@1\nprogress +100 %\nlag .* 0 events, 0 dead/,
    );
    await app.stop();
    expect(await projections("ls")).toMatchObject({ code: 0, out: expect.stringContaining("sums@1") });
    app = await started([sums(1), days]);
  });

  it("builds a version beside the live one, shows how far it is, swaps it in, and drops the old one", async () => {
    await deployed(sums(1), sums(2, 10), days);
    expect((await projections("ls")).out).toMatch(/sums@1 +views +live .*\nsums@2 +views +building +100 %/);
    const compared = await projections("compare", "sums");
    expect(compared.code).toBe(10);
    expect(compared.out).toMatch(/^views\.sums@1: 20 rows; views\.sums@2: 20 rows\n0 equal, 20 different, 0 only/);
    expect(await projections("swap", "sums", "--dry-run")).toMatchObject({
      code: 0,
      out: "would swap in views.sums@2\n",
    });
    expect((await projections("ls")).out).toMatch(/sums@1 +views +live/);
    expect(await projections("swap", "sums", "--wait", ...why)).toMatchObject({
      code: 0,
      out: "live is now views.sums@2\n",
    });
    expect(await app.projection(sums(2)).get("k-1")).toEqual({ sum: 220 });
    expect((await projections("ls")).out).toMatch(/sums@2 +views +live .*\nsums@1 +views +retired/);
    // What is live is not dropped; what is retired is, once.
    expect(await projections("drop", "sums@2", ...why)).toMatchObject({
      code: 4,
      err: expect.stringContaining("is live"),
    });
    expect(await projections("drop", "sums", ...why)).toMatchObject({ code: 0, out: "dropped views.sums@1\n" });
    expect(await projections("drop", "sums@1", ...why)).toMatchObject({ code: 3 });
  });

  it("rebuilds a damaged version, which verify finds, and which is paused and resumed on the way", async () => {
    expect(await projections("verify", "sums")).toMatchObject({ code: 0, out: expect.stringMatching(/equal\n$/) });
    await app.stop();
    otherProgram(dir, (database) => database.exec(`UPDATE mr_documents SET data = '{"sum":-1}' WHERE id = 'k-3'`));
    app = await started([sums(1), days]);
    const damaged = await projections("verify", "sums");
    expect(damaged.code).toBe(10);
    expect(damaged.out).toMatch(/1 row differ[\s\S]*k-3: stored \{"sum":-1\}, folded \{"sum":26\}/);
    expect(await projections("rebuild", "sums", ...why)).toMatchObject({ code: 0, out: "building views.sums@1.2\n" });
    expect(await projections("rebuild", "sums", ...why)).toMatchObject({
      code: 4,
      err: expect.stringContaining("is being built"),
    });
    expect(await projections("pause", "sums", ...why)).toMatchObject({ code: 0 });
    await app.publish(steps.taken({ id: "k-4", n: 1_000 }));
    await vi.waitFor(async () => expect(await app.projection(sums(1)).get("k-4")).toEqual({ sum: 1_028 }), 15_000);
    expect((await projections("ls")).out).toMatch(/sums@1\.2 +views +building, paused/);
    const behind = await projections("swap", "sums", ...why);
    expect(behind).toMatchObject({ code: 4, err: expect.stringMatching(/is behind views\.sums@1.*--wait/) });
    expect(await projections("resume", "sums", ...why)).toMatchObject({ code: 0 });
    expect(await projections("swap", "sums", "--wait", "30s", ...why)).toMatchObject({ code: 0 });
    expect(await projections("verify", "sums")).toMatchObject({
      code: 0,
      out: expect.stringContaining("views.sums@1.2"),
    });
    expect(await projections("compare", "sums", "sums@1.1")).toMatchObject({
      code: 10,
      out: expect.stringContaining("19 equal, 1 different"),
    });
  });

  it("says what it cannot do, with the exit status of the reason", async () => {
    expect(await projections("show", "sum")).toMatchObject({
      code: 3,
      err: expect.stringMatching(/no projection "sum".*projections ls/),
    });
    for (const verb of ["verify", "compare", "rebuild", "swap", "drop", "pause"])
      expect(
        await projections(verb, "sum", ...(verb === "verify" || verb === "compare" ? [] : why)),
        verb,
      ).toMatchObject({
        code: 3,
        err: expect.stringContaining('no projection "sum"'),
      });
    expect(await projections("swap", "sums", ...why)).toMatchObject({
      code: 3,
      err: expect.stringContaining("no build of sums is building"),
    });
    expect(await projections("swap", "sums", "--wait", "soon", ...why)).toMatchObject({
      code: 2,
      err: expect.stringContaining("--wait"),
    });
    expect(await projections("rebuild", "sums")).toMatchObject({ code: 2, err: expect.stringContaining("--reason") });
    expect(await projections("ls", "-o", "xml")).toMatchObject({ code: 2 });
    expect(await projections("rebuild")).toMatchObject({ code: 2 });
    await app.stop();
    expect(await projections("verify", "sums")).toMatchObject({
      code: 6,
      err: expect.stringContaining("no process runs"),
    });
    app = await started([sums(1), days]);
  });
});
