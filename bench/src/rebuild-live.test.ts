import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const program = fileURLToPath(new URL("../dist/rebuild-live.js", import.meta.url));

function rebuildLive(...args: readonly string[]): Promise<{ code: number; out: string; err: string }> {
  return new Promise((resolve) => {
    const child = execFile(process.execPath, [program, ...args], (_, out, err) =>
      resolve({ code: child.exitCode ?? -1, out, err }),
    );
  });
}

describe("npm run rebuild:live", () => {
  it("rebuilds and swaps two projections under load, and finds every row equal", { timeout: 300_000 }, async () => {
    const { code, out, err } = await rebuildLive("--events", "8000", "--rate", "200", "--seconds", "0.5", "--json");
    expect(code, err).toBe(0);
    const result = JSON.parse(out) as Record<string, never>;
    expect(result).toMatchObject({ wrong: [], rows: { placed: result.events } });
    expect(result.duringRebuild).toBeGreaterThan(0);
    expect(result.events).toBeGreaterThan(8_000);
  });

  it("says how it is used when it is asked for nonsense", async () => {
    expect(await rebuildLive("--events", "many")).toMatchObject({ code: 2, out: "" });
  });
});
