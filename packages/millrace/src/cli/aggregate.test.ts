import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { Trial } from "./trial.js";

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const trial = new Trial();
const bankEnv = { TRIAL_BANK: "1" };
beforeAll(async () => {
  await trial.start(bankEnv);
  const send = async (type: string, data: object) => {
    const ran = await trial.run("publish", type, JSON.stringify({ account: "a-1", ...data }));
    expect(ran).toMatchObject({ code: 0, stderr: "" });
  };
  await send("open-account", { owner: "ann" });
  await send("pay-in", { pence: 10 });
  await send("pay-out", { pence: 3 });
});
afterAll(() => trial.remove());

/** `millrace aggregate accounts a-1 …` */
const look = (...args: readonly string[]) => trial.run("aggregate", "accounts", "a-1", ...args);
async function json<T>(...args: readonly string[]): Promise<T> {
  const ran = await look(...args, "-o", "json");
  expect(ran).toMatchObject({ code: 0, stderr: "" });
  return JSON.parse(ran.stdout) as T;
}
interface Blamed {
  readonly event: { readonly id: string };
}

describe("millrace aggregate", () => {
  it("prints the state with its version, as text and as JSON", async () => {
    const ran = await look();
    expect(ran.stderr).toMatch(/from the running process/);
    expect(ran.stdout).toMatch(/^accounts a-1 {2}version 3 {2}20.*\n\{\n {2}"owner": "ann",\n {2}"pence": 7,\n/);
    expect(await json()).toMatchObject({
      from: "process",
      type: "accounts",
      id: "a-1",
      version: 3,
      state: { pence: 7 },
    });
    const lines = await look("-o", "jsonl");
    expect(JSON.parse(lines.stdout)).toMatchObject({ version: 3 });
  });

  it("prints it as it was: at a version, at a time, before an event", async () => {
    expect(await json("--at", "2")).toMatchObject({ version: 2, state: { pence: 10 } });
    expect(await json("--at", "1h")).toMatchObject({ version: 0, state: { owner: null } });
    expect(await json("--at", "2999-01-01")).toMatchObject({ version: 3 });
    const { event } = await json<Blamed>("--blame", "pence");
    expect(await json("--at", event.id)).toMatchObject({ version: 2 });
  });

  it("says what an option without a value lacks", async () => {
    expect(await look("--at", "")).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("--at is empty; write a version, a time, or an event's id"),
    });
    expect(await look("--blame", " ")).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("--blame is empty; write the path of a field"),
    });
  });

  it("prints what differs between two moments", async () => {
    const ran = await look("--diff", "1..2");
    expect(ran.stdout).toBe("PATH   FROM  TO\npence  0     10\nmoves  1     2\n");
    expect(await json("--diff", "2..")).toMatchObject({
      changes: [{ path: "pence", from: 10, to: 7 }, { path: "moves" }],
    });
    expect(await json("--diff", "..1")).toMatchObject({
      changes: [{ path: "owner", from: null, to: "ann" }, { path: "moves" }],
    });
    expect(await look("--diff", "3..3")).toMatchObject({
      code: 0,
      stdout: "",
      stderr: expect.stringContaining("nothing differs"),
    });
  });

  it("prints the event that last set a value", async () => {
    const ran = await look("--blame", "pence");
    expect(ran.stdout).toMatch(
      /^pence: 10 became 7\n.*\ntype {11}account.paid-out\nsequence {7}3\n.*\ndata\n {2}\{\n {4}"account": "a-1"/s,
    );
    expect(await json("--blame", "pence", "--at", "2")).toMatchObject({
      change: { from: 0, to: 10 },
      event: { sequence: 2 },
    });
  });

  it.each<[string, string[], number, RegExp]>([
    ["an aggregate without events", ["accounts", "a-2"], 3, /accounts a-2 has no events/],
    ["a type that the app does not have", ["orders", "a-1"], 3, /no aggregate orders; there are accounts/],
    ["a version that it has not come to", ["accounts", "a-1", "--at", "9"], 3, /no version 9/],
    ["an event that is not its own", ["accounts", "a-1", "--at", "some-event"], 3, /no event some-event/],
    ["a value that nothing has set", ["accounts", "a-1", "--blame", "colour"], 3, /has set "colour"/],
    ["a time that is none", ["accounts", "a-1", "--at", "2026-99-99"], 2, /is no time/],
    ["one moment to compare", ["accounts", "a-1", "--diff", "3"], 2, /two moments/],
    ["a moment beside two others", ["accounts", "a-1", "--diff", "1..2", "--at", "3"], 2, /--diff goes without/],
  ])("exits with the reason for %s", async (_, args, code, text) => {
    expect(await trial.run("aggregate", ...args)).toMatchObject({
      code,
      stdout: "",
      stderr: expect.stringMatching(text),
    });
  });
});

describe("millrace aggregate without a process", () => {
  beforeAll(async () => {
    await trial.end();
  });

  it("folds with the app's code, which it does not start, from the file", async () => {
    const env = { ...bankEnv, TRIAL_DIR: trial.dir };
    const args = ["aggregate", "accounts", "a-1", "--dir", trial.dir, "--app", trial.module];
    const ran = await trial.runWith({ env }, ...args);
    expect(ran).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/version 3/),
      stderr: expect.stringMatching(/no process runs/),
    });
    const blamed = await trial.runWith({ env }, ...args, "--blame", "pence", "-o", "json");
    expect(JSON.parse(blamed.stdout)).toMatchObject({ change: { from: 10, to: 7 } });
  });

  it("says that it needs the app when nobody says where that is", async () => {
    expect(await trial.runWith({ cwd: trial.dir }, "aggregate", "accounts", "a-1", "--dir", trial.dir)).toMatchObject({
      code: 6,
      stdout: "",
      stderr: expect.stringMatching(/folded by the app's own evolve.*--app/),
    });
  });
});
