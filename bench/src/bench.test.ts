import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { names } from "./benchmarks.js";

// The built program, as `npm run bench` runs it.
const main = fileURLToPath(new URL("../dist/main.js", import.meta.url));

function bench(...args: readonly string[]): Promise<{ code: number; out: string; err: string }> {
  return new Promise((resolve) => {
    const child = execFile(process.execPath, [main, ...args], (_, out, err) =>
      resolve({ code: child.exitCode ?? -1, out, err }),
    );
  });
}

const numberOrNull = (value: unknown) => value === null || Number.isFinite(value);

describe("npm run bench", () => {
  it.each(names)("%s works and prints well-formed figures", { timeout: 180_000 }, async (name) => {
    const { code, out, err } = await bench(name, "--tiny", "--json");
    expect(code, err).toBe(0);
    const figures = JSON.parse(out) as readonly Record<string, unknown>[];
    expect(figures.length).toBeGreaterThan(0);
    for (const figure of figures) {
      expect(Object.keys(figure)).toEqual(["name", "value", "unit", "ceiling", "ratio", "target", "ok"]);
      expect(figure.name).toMatch(new RegExp(`^${name}(\\.|$)`));
      expect(figure.value).toBeGreaterThan(0);
      expect(figure).toEqual(
        expect.objectContaining({ unit: expect.any(String), ceiling: expect.toSatisfy(numberOrNull) }),
      );
      expect(figure.ratio === null).toBe(figure.ceiling === null);
      expect(figure.ok === null).toBe(figure.target === null);
    }
    expect(figures.some(({ ok }) => ok !== null)).toBe(true);
  });

  it("prints a table for people", { timeout: 60_000 }, async () => {
    const { code, out } = await bench("start", "--tiny");
    expect(code).toBe(0);
    expect(out).toMatch(/^name +value +unit +ceiling +ratio +target +ok\n/);
    expect(out).toMatch(/^start.memory +[\d.]+ +MiB/m);
  });

  it("names the benchmarks when it does not know one", async () => {
    const { code, out, err } = await bench("publish", "nonsense");
    expect(code).toBe(2);
    expect(out).toBe("");
    expect(err).toContain("nonsense");
    for (const name of names) expect(err).toContain(name);
  });
});
