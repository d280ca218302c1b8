import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { claimDir, defaultDir, styleOf } from "./style.js";

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "millrace-style-"));
});
afterAll(() => rm(dir, { recursive: true }));

const choreography = { fulfilment: "choreographed", orders: "documents" } as const;
const orchestration = { fulfilment: "orchestrated", orders: "documents" } as const;

describe("the style of the shop", () => {
  it("is a choreography of documents, unless it is said otherwise", () => {
    expect(styleOf({}, undefined)).toEqual(choreography);
    expect(styleOf({}, "")).toEqual(choreography);
  });

  it("is chosen by flags, by the environment, or by both; flags come first", () => {
    expect(styleOf({ orchestrated: true }, undefined)).toEqual(orchestration);
    expect(styleOf({ "event-sourced": true }, undefined)).toEqual({ ...choreography, orders: "event-sourced" });
    expect(styleOf({}, "orchestrated, event-sourced")).toEqual({ fulfilment: "orchestrated", orders: "event-sourced" });
    expect(styleOf({ orchestrated: false }, "orchestrated")).toEqual(choreography);
  });

  it("is refused when there is none of that name", () => {
    const problem = 'SHOP_STYLE has "conducted"; it takes orchestrated, event-sourced, or both with a comma between';
    expect(() => styleOf({}, "conducted")).toThrow(new TypeError(problem));
  });

  it.each([
    [["--orchestrated=yes"], "", "Option '--orchestrated' does not take an argument"],
    [[], "conducted", 'SHOP_STYLE has "conducted"'],
  ])("ends the programs with 2 and the usage when it is wrong: %j %j", async (args, style, problem) => {
    for (const [program, ...given] of [["main.js"], ["replay.js", "invoices.csv"]] as const) {
      const file = resolve(import.meta.dirname, "../dist", program);
      const env = { ...process.env, SHOP_STYLE: style };
      const run = promisify(execFile)(process.execPath, [file, ...given, ...args], { env });
      const stderr = expect.stringMatching(new RegExp(`${problem}[^]*\n\nUsage: npm `));
      await expect(run).rejects.toMatchObject({ code: 2, stderr });
    }
  });
});

describe("a folder", () => {
  it("is one style's: another one would find its old orders new", async () => {
    const mine = join(dir, "mine");
    await claimDir(mine, orchestration);
    await claimDir(mine, orchestration);
    await expect(claimDir(mine, choreography)).rejects.toThrow(
      `${mine} holds the orders of a shop that is orchestrated-documents; give one that is choreographed-documents a --data-dir`,
    );
  });

  it("from before there were styles is the choreography's", async () => {
    await writeFile(join(dir, "millrace.db"), "");
    await expect(claimDir(dir, orchestration)).rejects.toThrow(
      "holds the orders of a shop that is choreographed-documents",
    );
    await claimDir(dir, choreography);
  });

  it("is each style's own by default", () => {
    expect(defaultDir(choreography)).toBe("./.millrace");
    expect(defaultDir(orchestration)).toBe("./.millrace/orchestrated-documents");
  });
});
