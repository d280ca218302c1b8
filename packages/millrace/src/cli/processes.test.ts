import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { readAddress, writeAddress } from "../admin/address.js";
import { openReadOnly } from "../embedded/read-only.js";
import { price } from "../main/trial-app.js";
import { Trial } from "./trial.js";

let trial: Trial;
beforeEach(() => {
  trial = new Trial();
});
afterEach(() => trial.remove());

/** Processes take their time on a busy machine. */
vi.setConfig({ testTimeout: 120_000 });
const eventually = <T>(condition: () => Promise<T>): Promise<T> =>
  vi.waitFor(condition, { timeout: 20_000, interval: 20 });
const order = (orderId: string, pence: number) => JSON.stringify({ orderId, pence });
const headers = { "content-type": "application/json", "idempotency-key": "k-1" };

describe("without a process", () => {
  it("reads the file of one that was killed, knows its address for stale, and does not act", async () => {
    await trial.start();
    await trial.run("publish", "order.placed", order("o-1", price.dead));
    await eventually(async () =>
      expect((await trial.run("dead-letters", "ls", "-o", "jsonl")).stdout).toContain("o-1"),
    );
    await trial.end("SIGKILL");
    expect(await readAddress(trial.dir)).toBeDefined();

    const consumers = await trial.run("consumers");
    expect(consumers).toMatchObject({
      code: 0,
      stderr: expect.stringMatching(/^as of .* UTC, from the file; no process runs\n$/),
    });
    expect(consumers.stdout).toMatch(/^payments +unknown +0 +0 +unknown +0 +1/m);
    expect((await trial.run("dead-letters", "show", "1")).stdout).toContain("666");
    expect((await trial.run("explain", "key:o-1")).stdout).toContain("dead: payments (entry 1, attempt 1)");
    expect((await trial.run("events", "search", "-o", "jsonl")).stdout.trim().split("\n")).toHaveLength(1);
    expect((await trial.run("doctor")).stdout).toMatch(/^ok +integrity/m);
    const tail = await trial.run("tail", "-o", "jsonl");
    expect(tail).toMatchObject({ code: 6, stdout: expect.stringContaining('"o-1"') });
    const acts = [
      ["publish", "order.placed", order("o-2", 1)],
      ["dead-letters", "redrive", "1", "--reason", "r"],
      ["dead-letters", "skip", "1", "--reason", "r"],
      ["dead-letters", "edit", "1", "--set", "pence=1", "--reason", "r"],
      ["consumers", "forget", "mail", "--reason", "r"],
      ["backup", join(trial.dir, "copy.db")],
    ];
    for (const ran of await Promise.all(acts.map((args) => trial.run(...args)))) {
      expect(ran).toMatchObject({ code: 6, stdout: "", stderr: expect.stringContaining("start it") });
    }
  });

  it("exits 3 when there is no file, and 6 for an act", async () => {
    expect(await trial.run("consumers")).toMatchObject({
      code: 3,
      stdout: "",
      stderr: expect.stringContaining("millrace.db"),
    });
    expect((await trial.run("publish", "order.placed", "{}")).code).toBe(6);
  });
});

describe("beside a process", () => {
  it("that does not answer, exits 7", async () => {
    await trial.start();
    trial.signal("SIGSTOP");
    const ran = await trial.run("consumers", "--timeout", "300ms");
    expect(ran).toMatchObject({ code: 7, stdout: "", stderr: expect.stringContaining("WAIT_TIMEOUT") });
    trial.signal("SIGCONT");
    expect((await trial.run("consumers")).code).toBe(0);
  });

  it("whose token is another, exits 5", async () => {
    await trial.start();
    const address = await readAddress(trial.dir);
    if (address === undefined) throw new Error("no address");
    await writeAddress(trial.dir, { ...address, token: "wrong" });
    expect(await trial.run("consumers")).toMatchObject({ code: 5, stderr: expect.stringContaining("UNAUTHORISED") });
  });

  it.each([
    ["8 when only some of them changed", 1, 8],
    ["4 when none of them changed", 0, 4],
  ])("exits %s meanwhile", async (_, changed, code) => {
    // Only a race makes this of a real process: this one answers as if there had been one.
    const server = createServer((_, response) => {
      response.setHeader("millrace-instance", "fake");
      response.end(JSON.stringify({ dryRun: false, matched: 2, changed, keys: 2, unchanged: [2] }));
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    await writeAddress(trial.dir, { url: `http://127.0.0.1:${port}`, token: "t", pid: process.pid, instance: "fake" });
    expect(await trial.run("dead-letters", "redrive", "1", "2", "--reason", "r")).toMatchObject({
      code,
      stderr: expect.stringContaining("2"),
    });
    server.close();
  });
});

describe("a command that was committed and not answered", () => {
  it("is the same operation when its idempotency key comes again after kill -9", async () => {
    const doomed = await trial.start({ TRIAL_KILL: "after-commit" });
    const ask = (url: string) => fetch(`${url}/orders`, { method: "POST", headers, body: order("o-1", 5) });
    await expect(ask(doomed)).rejects.toThrow();
    await trial.end();
    const { inspect, close } = openReadOnly(trial.dir);
    const [sent] = (await inspect.events({ type: "place-order", limit: 10 })).events;
    close();

    const url = await trial.start();
    const response = await ask(url);
    expect(response.status).toBe(202);
    expect(await response.json()).toMatchObject({ operation: sent?.id, state: "committed" });
    const found = await trial.run("events", "search", "key:o-1", "-o", "jsonl");
    const types = found.stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line).type);
    expect(types.filter((type) => type === "place-order")).toHaveLength(1);
    expect(types.filter((type) => type === "order.placed")).toHaveLength(1);
  });
});

describe("start", () => {
  it("stops in order on SIGTERM and exits 0", async () => {
    await trial.start();
    expect(await trial.end("SIGTERM")).toBe(0);
    expect(await readAddress(trial.dir)).toBeUndefined();
  });

  it("runs the services that --service names, and names those there are for others", async () => {
    const start = (names: string) =>
      trial.runWith({ env: { TRIAL_DIR: trial.dir } }, "start", trial.module, "--service", names);
    expect(await start("mail,tlil")).toMatchObject({
      code: 2,
      stdout: "",
      stderr: expect.stringContaining("names tlil, which the app does not have; it has orders, payments, mail"),
    });
  });

  it("takes the module that package.json names", async () => {
    writeFileSync(join(trial.dir, "package.json"), '{"type":"module","millrace":{"app":"./app.js"}}');
    writeFileSync(
      join(trial.dir, "app.js"),
      "export const app = { start: async () => {}, stop: async () => {}, closed: Promise.resolve() };",
    );
    expect(await trial.runWith({ cwd: trial.dir }, "start")).toMatchObject({ code: 0, stdout: "ready\n" });
  });

  it.each<[string, string | undefined, string, number, RegExp]>([
    ["no file is named", undefined, "", 2, /package\.json/],
    ["the file is not there", "gone.mjs", "", 3, /gone\.mjs/],
    ["it exports no app", "none.mjs", "export const other = 1;", 2, /does not export `app`/],
    ["it throws", "throws.mjs", "throw new Error('boom');", 1, /boom/],
    [
      "it does not start",
      "fails.mjs",
      "export const app = { start: async () => { throw new Error('no'); }, stop: async () => {} };",
      1,
      /no/,
    ],
  ])("says so when %s", async (_, file, text, code, message) => {
    if (file !== undefined && text !== "") writeFileSync(join(trial.dir, file), text);
    const ran = await trial.runWith({ cwd: trial.dir }, "start", ...(file === undefined ? [] : [file]));
    expect(ran).toMatchObject({ code, stdout: "", stderr: expect.stringMatching(message) });
  });

  it("runs TypeScript where Node or tsx can, and says what to do where they cannot", async () => {
    writeFileSync(
      join(trial.dir, "app.mts"),
      "export const app: object = { start: async () => {}, stop: async () => {}, closed: Promise.resolve() };",
    );
    const strips = (process.features as { typescript?: unknown }).typescript;
    const ran = await trial.runWith({ cwd: trial.dir }, "start", "app.mts");
    if (strips) expect(ran).toMatchObject({ code: 0, stdout: "ready\n" });
    else expect(ran).toMatchObject({ code: 2, stderr: expect.stringMatching(/is TypeScript.*npm i -D tsx/) });

    // A stand-in for tsx, as far as the command line uses it.
    const tsx = join(trial.dir, "node_modules", "tsx");
    mkdirSync(tsx, { recursive: true });
    writeFileSync(join(tsx, "package.json"), '{"name":"tsx","type":"module","exports":{"./esm/api":"./api.js"}}');
    const hooks = `export async function load(url, context, next) {
      if (!url.endsWith(".mts")) return next(url, context);
      const { readFileSync } = await import("node:fs");
      const source = readFileSync(new URL(url), "utf8").replace(": object", "");
      return { format: "module", source, shortCircuit: true };
    }`;
    const loader = `import { register as add } from "node:module"; export const register = () => add("data:text/javascript,${encodeURIComponent(hooks)}");`;
    writeFileSync(join(tsx, "api.js"), loader);
    expect(await trial.runWith({ cwd: trial.dir }, "start", "app.mts")).toMatchObject({ code: 0, stdout: "ready\n" });
  });

  it("takes part beside the process that runs on the folder, and is found when that one has ended", async () => {
    await trial.start();
    const second = trial.spawn({ cwd: trial.dir, env: { TRIAL_DIR: trial.dir } }, "start", trial.module);
    await second.said("ready ");
    expect(readdirSync(trial.dir).filter((name) => /^admin.*\.json$/.test(name))).toHaveLength(2);
    expect(await trial.end()).toBe(0);
    expect(await trial.run("publish", "order.placed", order("o-1", 1))).toMatchObject({ code: 0 });
    expect((await trial.run("consumers", "ls")).stderr).toContain("from the running process");
    expect(await second.end()).toBe(0);
    expect(readdirSync(trial.dir).filter((name) => /^admin.*\.json$/.test(name))).toEqual([]);
  });
});

describe("dev", () => {
  it("starts again after a change of the code, in order, and waits for a change after a crash", async () => {
    const file = join(trial.dir, "app.mjs");
    const version = (n: number) => `
      let close; const closed = new Promise((resolve) => { close = resolve; });
      const stop = async () => { process.stdout.write("stopped ${n}\\n"); clearInterval(timer); close(); };
      let timer;
      process.once("SIGTERM", stop);
      export const app = { start: async () => { timer = setInterval(() => {}, 1000); process.stdout.write("started ${n}\\n"); }, stop, closed };`;
    writeFileSync(file, version(1));
    const dev = trial.spawn({ cwd: trial.dir }, "dev", file);
    await dev.said("started 1\nready\n");
    writeFileSync(file, version(2));
    await dev.said("stopped 1\nstarted 2\nready\n");
    writeFileSync(file, "throw new Error('broken');");
    await dev.said("waiting for a change");
    mkdirSync(join(trial.dir, "lib"));
    writeFileSync(file, version(3));
    await dev.said("started 3\nready\n");
    expect(readFileSync(file, "utf8")).toContain("started 3");
    expect(await dev.end()).toBe(0);
    await dev.said("stopped 3\n");
  });
});
