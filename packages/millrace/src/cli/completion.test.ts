import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
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

/** What a zsh at a terminal reads first: tab completes, control-X prints what the line is. */
const zshInner = (script: string) => `PS1=
stty -echo
autoload -Uz compinit
compinit -u -D
${script}
show() { print -r -- "<$BUFFER>"; BUFFER=; zle accept-line }
zle -N show
bindkey '^X' show
bindkey '^I' complete-word
print ready`;
/** Types a line, a tab and control-X there. */
const zshOuter = `zmodload zsh/zpty
zpty inner zsh -f -i
zpty -w inner "source $1"
zpty -r -m inner said '*ready*'
zpty -w -n inner "$2"$'\\t\\x18'
zpty -r -m inner said '*<millrace*>*'
print -r -- $said
zpty -d inner`;

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

  it("does so in fish", async (context) => {
    if (spawnSync("fish", ["--version"]).status !== 0) context.skip("no fish");
    const { stdout: script } = await millrace("completion", "fish");
    const inFish = (line: string): readonly string[] => {
      const asked = `complete -C '${line}'`;
      const ran = spawnSync("fish", ["--no-config", "-c", `${script}\n${asked}`], { encoding: "utf8" });
      expect(ran.stderr).toBe("");
      return ran.stdout.trim().split("\n");
    };
    expect(inFish("millrace con")).toEqual(["consumers"]);
    expect(inFish("millrace consumers pa")).toEqual(["pause"]);
    expect(inFish("millrace consumers pause payments --r")).toEqual(["--reason"]);
    expect(inFish("millrace dead-letters --dir data red")).toContain("redrive");
    expect(inFish("millrace jobs ")).toEqual(["cancel", "export", "ls", "pause", "rate", "resume", "show", "--help"]);
  });

  it("does so in zsh, at a terminal", async (context) => {
    if (spawnSync("zsh", ["--version"]).status !== 0) context.skip("no zsh");
    const { stdout: script } = await millrace("completion", "zsh");
    const file = join(trial.dir, "inner.zsh");
    writeFileSync(file, zshInner(script));
    const typed = (line: string): string =>
      spawnSync("zsh", ["-f", "-c", zshOuter, "zsh", file, line], { encoding: "utf8", timeout: 20_000 }).stdout;
    expect(typed("millrace con")).toContain("<millrace consumers >");
    expect(typed("millrace consumers pa")).toContain("<millrace consumers pause >");
    expect(typed("millrace consumers pause payments --rea")).toContain("<millrace consumers pause payments --reason >");
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
