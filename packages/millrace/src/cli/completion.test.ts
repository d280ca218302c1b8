import { spawnSync } from "node:child_process";
import { afterAll, describe, expect, it } from "vitest";
import { Trial } from "./trial.js";

const trial = new Trial();
afterAll(() => trial.remove());
const millrace = (...args: readonly string[]) => trial.runWith({}, ...args);

/** What bash offers after these words. */
function offered(script: string, ...words: readonly string[]): readonly string[] {
  const line = ["millrace", ...words].map((word) => `'${word}'`).join(" ");
  const asked = `COMP_WORDS=(${line}); COMP_CWORD=${words.length}; _millrace; echo "\${COMPREPLY[@]}"`;
  const ran = spawnSync("bash", ["--norc", "-c", `${script}\n${asked}`], { encoding: "utf8" });
  expect(ran.stderr).toBe("");
  return ran.stdout.trim().split(" ");
}

describe("completion", () => {
  it("offers commands, then those below them, then their options, in bash", async (context) => {
    if (spawnSync("bash", ["--version"]).status !== 0) context.skip("no bash");
    const { stdout: script, code } = await millrace("completion", "bash");
    expect(code).toBe(0);
    expect(offered(script, "con")).toEqual(["consumers"]);
    expect(offered(script, "consumers", "pa")).toEqual(["pause"]);
    expect(offered(script, "consumers", "pause", "payments", "--r")).toEqual(["--reason"]);
    expect(offered(script, "dead-letters", "--dir", "data", "re")).toEqual(["redrive"]);
    expect(offered(script, "")).toEqual(expect.arrayContaining(["start", "publish", "jobs", "check", "completion"]));
  });

  it.each(["zsh", "fish"])("knows every command in %s", async (shell) => {
    const { stdout } = await millrace("completion", shell);
    for (const words of ["start", "/dead-letters/redrive", "/jobs/rate", "--dry-run"]) expect(stdout).toContain(words);
  });

  it("refuses a shell that it does not know", async () => {
    expect(await millrace("completion", "csh")).toMatchObject({
      code: 2,
      stderr: 'millrace: SHELL is "csh"; write bash, zsh, fish (OPTION_INVALID)\n',
    });
  });
});
