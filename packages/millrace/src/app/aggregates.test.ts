import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { afterEach, describe, expect, it, vi } from "vitest";
import { openReadOnly } from "../embedded/read-only.js";
import { endTrials, tempFolder } from "../testing/trial.js";

vi.setConfig({ testTimeout: 120_000 });

interface Said {
  readonly name: string;
  readonly number?: number;
  readonly state: unknown;
  readonly version?: number;
}

const programs = new Set<Program>();
afterEach(async () => {
  for (const { child } of programs) child.kill("SIGKILL");
  programs.clear();
  await endTrials();
});

/** A process that takes part in a folder's file; see aggregates-process.ts. */
class Program {
  readonly said: Said[] = [];
  /** How many commands it was given. */
  asked = 0;
  readonly child: ChildProcess;
  #heard = () => {};

  private constructor(dir: string, started: () => void) {
    const file = fileURLToPath(new URL("./aggregates-process.js", import.meta.url));
    this.child = spawn(process.execPath, [file, dir], { stdio: ["pipe", "pipe", "inherit"] });
    programs.add(this);
    this.child.stdin?.on("error", () => {});
    if (this.child.stdout === null) throw new Error("the program has no output");
    createInterface({ input: this.child.stdout }).on("line", (line) => {
      const answer = JSON.parse(line) as Said & { readonly started?: number };
      if (answer.started !== undefined) started();
      else this.said.push(answer);
      this.#heard();
    });
  }

  static async start(dir: string): Promise<Program> {
    return await new Promise((resolve) => {
      const program: Program = new Program(dir, () => resolve(program));
    });
  }

  /** Opens the account with 0, pays in anything else. */
  ask(name: string, number: number | "?"): void {
    if (number !== "?") this.asked += 1;
    this.child.stdin?.write(`${name} ${number}\n`);
  }

  async heard(condition: (said: readonly Said[]) => boolean): Promise<void> {
    while (!condition(this.said))
      await new Promise<void>((resolve) => {
        this.#heard = resolve;
      });
  }

  async kill(): Promise<void> {
    const gone = once(this.child, "exit");
    this.child.kill("SIGKILL");
    await gone;
  }
}

const names = ["a", "b", "c"];
const ownerPid = (dir: string) => (JSON.parse(readFileSync(join(dir, "owner.json"), "utf8")) as { pid: number }).pid;
const committed = (said: readonly Said[]) => said.filter(({ state }) => state === "committed");

/** What the file has of an account: the numbers that were paid in, in the order of their sequence. */
async function stored(dir: string, key: string): Promise<readonly number[]> {
  const { inspect, close } = openReadOnly(dir);
  try {
    const { records, version } = await inspect.stream({ topic: "accounts", key, after: 0, limit: 1_000 });
    expect(records.map(({ headers }) => headers?.sequence)).toEqual(Array.from({ length: version }, (_, n) => n + 1));
    return records.slice(1).map(({ data }) => (data as { pence: number }).pence);
  } finally {
    close();
  }
}

describe("aggregates of three processes on one file", () => {
  it("lose and double no command while their owners are killed, and number every event", async () => {
    const dir = tempFolder();
    const all = [await Program.start(dir), await Program.start(dir), await Program.start(dir)] as const;
    for (const name of names) all[0].ask(name, 0);
    await all[0].heard((said) => committed(said).length === names.length);
    const live: Program[] = [...all];
    const killed: Program[] = [];
    // Each number is sent once; several processes send to one account at a time.
    for (let n = 1; n <= 300; n += 1) {
      (live[n % live.length] as Program).ask(names[n % names.length] as string, n);
      if (n % 100 !== 60) continue;
      await Promise.all(live.map((one) => one.heard((said) => committed(said).length >= 5)));
      const owner = live.find(({ child }) => child.pid === ownerPid(dir)) as Program;
      await owner.kill();
      killed.push(owner);
      live.splice(live.indexOf(owner), 1, await Program.start(dir));
    }
    expect(killed).toHaveLength(3);
    // What living processes were asked is answered, whoever wrote it; of the killed ones, what they had said.
    await Promise.all(live.map((one) => one.heard((said) => committed(said).length === one.asked)));
    const acked = [...live, ...killed].flatMap(({ said }) => committed(said).filter(({ number }) => number !== 0));
    const found = (await Promise.all(names.map((name) => stored(dir, name)))).flat();
    expect(found).toEqual(expect.arrayContaining(acked.map(({ number }) => number)));
    expect(acked.length).toBeGreaterThan(150);
    for (const name of names) {
      const numbers = await stored(dir, name);
      expect(new Set(numbers).size, `${name} has nothing twice`).toBe(numbers.length);
      expect(numbers.every((number) => names[number % names.length] === name)).toBe(true);
    }
  });

  it("decide on what the others have stored: the state is the same in all of them", async () => {
    const dir = tempFolder();
    const all = [await Program.start(dir), await Program.start(dir)] as const;
    all[0].ask("a", 0);
    await all[0].heard((said) => committed(said).length === 1);
    for (let n = 1; n <= 40; n += 1) all[n % 2]?.ask("a", n);
    await all[0].heard((said) => committed(said).length === 21);
    await all[1].heard((said) => committed(said).length === 20);
    for (const one of all) {
      one.ask("a", "?");
      await one.heard((said) => said.at(-1)?.version !== undefined);
      expect(one.said.at(-1)).toMatchObject({ version: 41, state: { pence: (40 * 41) / 2, moves: 41 } });
    }
  });
});
