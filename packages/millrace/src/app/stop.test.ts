import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { afterEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { documents } from "../contract/documents.js";
import { command, event } from "../contract/event.js";
import { topic } from "../contract/topic.js";
import { Failure } from "../failure/failure.js";
import { service } from "../service/declare.js";
import { endTrials, gate, Trial, tempFolder, trial } from "../testing/trial.js";
import { remote } from "../testing/trial-remote.js";

afterEach(endTrials);

const Job = z.object({ key: z.string() });
const jobs = topic("jobs", { key: "key", events: { given: event("job.given", Job) } });
const ask = command("ask", Job, { key: "key" });
const done = documents("done", z.object({ key: z.string(), times: z.int() }), { id: "key" });

const times = async (t: Trial, key: string) => (await t.app.documents(done).get(key))?.times;

/** Handles jobs when `go` lets it. */
function working(go: Promise<void>) {
  const signals: AbortSignal[] = [];
  const make = (until = go) =>
    service("working").on(jobs.given, async ({ data }, ctx) => {
      signals.push(ctx.signal);
      const before = await ctx.documents(done).get(data.key);
      await until;
      ctx.documents(done).put({ key: data.key, times: (before?.times ?? 0) + 1 });
    });
  return { signals, make };
}

describe("stopping", () => {
  it("lets running handlers finish and commits what they did; what had not begun waits for the next start", async () => {
    const go = gate();
    const { signals, make } = working(go.opened);
    const t = await trial([make()], { dir: tempFolder(), drain: "60s" });
    await t.app.publish([jobs.given({ key: "a" }), jobs.given({ key: "a" }), jobs.given({ key: "b" })]);
    await t.until(() => t.status("working").inFlight === 2);
    const stopping = t.stop();
    await t.clock.advance(5_000);
    expect(signals.map((signal) => signal.aborted)).toEqual([false, false]);
    go.open();
    await stopping;
    const again = await t.again([service("idle")]);
    expect(await again.app.documents(done, { service: "working" }).get("b")).toMatchObject({ times: 1 });
    const last = await again.again([make(Promise.resolve())]);
    await last.rest();
    expect([await times(last, "a"), await times(last, "b")]).toEqual([2, 1]);
  });

  it.each([
    ["waits for a look at leases that is under way", true],
    ["does not wait longer than the drain time for a look at leases", false],
  ])("%s, and no consumer stops with an error", async (_, answers) => {
    const answer = gate();
    let held = false;
    const before = (call: string) => (held && call === "leases" ? answer.opened : undefined);
    const { make } = working(gate().opened);
    const t = await trial([make()], { engine: remote({ before }), drain: "2s" });
    await t.rest();
    held = true;
    void t.running.changed({ leases: true });
    let stopped = false;
    const stopping = t.app.stop().then(() => {
      stopped = true;
    });
    await t.clock.advance(1_999);
    expect(stopped).toBe(false);
    if (answers) answer.open();
    else await t.clock.advance(1);
    await stopping;
    answer.open();
    await t.clock.advance(0);
    expect(t.lines.filter(({ level }) => level === "error")).toEqual([]);
  });

  it("asks a store no more that is away", async () => {
    let asked = 0;
    let away = false;
    const before = (call: string) => {
      if (!away || call !== "leases") return;
      asked += 1;
      throw new Failure("STORE_UNAVAILABLE", "the database is away");
    };
    const t = await trial([working(gate().opened).make()], { engine: remote({ before }), drain: "2s" });
    await t.rest();
    away = true;
    void t.running.changed({ leases: true });
    await t.stop();
    expect(asked).toBeGreaterThan(0);
    asked = 0;
    await t.clock.advance(60_000);
    expect([asked, t.lines.filter(({ level }) => level === "error")]).toEqual([0, []]);
  });

  it("aborts handlers that take longer than the drain time; their events run again after the restart, uncharged", async () => {
    const { signals, make } = working(gate().opened);
    const t = await trial([make()], { dir: tempFolder(), drain: "2s" });
    await t.app.publish(jobs.given({ key: "a" }));
    await t.until(() => signals.length === 1);
    const began = t.clock.monotonic();
    await t.stop();
    expect(t.clock.monotonic() - began).toBeGreaterThanOrEqual(2_000);
    expect(signals[0]?.aborted).toBe(true);
    expect(signals[0]?.reason).toMatchObject({ code: "APP_STOPPED" });
    const attempts: number[] = [];
    const again = await t.again([
      service("working").on(jobs.given, (_, ctx) => {
        attempts.push(ctx.attempt);
      }),
    ]);
    await again.rest();
    expect(attempts).toEqual([1]);
  });

  it("does not begin a retry, and the event is there after the restart", async () => {
    let runs = 0;
    const failing = service("working").on(jobs.given, () => {
      runs += 1;
      throw new Error("no");
    });
    const t = await trial([failing], { dir: tempFolder() });
    await t.app.publish(jobs.given({ key: "a" }));
    await t.until(() => runs === 1);
    await t.stop();
    await t.clock.advance(60_000);
    expect(runs).toBe(1);
    const again = await t.again([working(Promise.resolve()).make()]);
    await again.rest();
    expect(await times(again, "a")).toBe(1);
  });

  it("stores what was published before, and refuses what comes after", async () => {
    const dir = tempFolder();
    const t = await trial([working(Promise.resolve()).make(), service("owner").handle(ask, () => {})], { dir });
    const before = t.app.publish(jobs.given({ key: "a" }));
    const stopping = t.stop();
    const refused = { code: "APP_STOPPED" };
    await expect(t.app.publish(jobs.given({ key: "b" }))).rejects.toMatchObject(refused);
    await expect(t.app.publish([jobs.given({ key: "b" })])).rejects.toMatchObject(refused);
    await expect(t.app.send(ask({ key: "b" }))).rejects.toMatchObject(refused);
    expect(() => t.app.documents(done)).toThrow(expect.objectContaining(refused));
    await expect(t.app.settled()).rejects.toMatchObject(refused);
    await expect(t.app.query`SELECT 1`).rejects.toMatchObject(refused);
    await stopping;
    await expect(before).resolves.toMatchObject({ topic: "jobs" });
    const again = await t.again([working(Promise.resolve()).make()]);
    await again.rest();
    expect(await times(again, "a")).toBe(1);
  });

  it("gives back the operation of a command that is still being waited for", async () => {
    const go = gate();
    const t = await trial([service("owner").handle(ask, () => go.opened)]);
    const waiting = t.app.send(ask({ key: "a" }), { waitFor: "handled", timeout: "1h" });
    await t.until(() => t.status("owner").inFlight === 1);
    await t.stop();
    await expect(waiting).resolves.toMatchObject({ state: "accepted" });
  });

  it("can be asked for twice, before the start too, and tells those who wait for it", async () => {
    const t = await trial([service("idle")]);
    const stopped: string[] = [];
    const told = t.app.closed.then(() => stopped.push("closed"));
    await Promise.all([t.app.stop(), t.app.stop(), t.app[Symbol.asyncDispose]()]);
    await told;
    expect(stopped).toEqual(["closed"]);
    const never = new Trial([service("idle")]);
    await never.app.stop();
    await never.app.closed;
    await expect(never.app.start()).rejects.toMatchObject({ code: "APP_STOPPED" });
  });

  it("ends although the store cannot be written any more, and nothing that was committed is lost", async () => {
    const dir = tempFolder();
    const go = gate();
    const t = await trial([working(go.opened).make()], { dir });
    await t.app.publish(jobs.given({ key: "a" }));
    await t.until(() => t.status("working").inFlight === 1);
    const { store } = t.running.engine;
    store.commit = () => {
      throw new Failure("STORE_FULL", "the disk is full");
    };
    await expect(t.app.publish(jobs.given({ key: "b" }))).rejects.toMatchObject({ code: "STORE_FULL" });
    go.open();
    const waiting = expect(t.app.publish(jobs.given({ key: "c" }))).rejects.toMatchObject({ code: "STORE_FULL" });
    const settled = expect(t.app.settled()).rejects.toMatchObject({ code: "APP_STOPPED" });
    await t.stop();
    await Promise.all([waiting, settled]);
    const again = await t.again([working(Promise.resolve()).make()]);
    await again.rest();
    expect(await times(again, "a")).toBe(1);
  });
});

describe("starting", () => {
  it("is refused a second time", async () => {
    const t = await trial([service("idle")]);
    await expect(t.app.start()).rejects.toMatchObject({ code: "APP_STOPPED" });
  });

  it("has to come first: nothing works before it", async () => {
    const t = new Trial([service("idle")]);
    await expect(t.app.publish(jobs.given({ key: "a" }))).rejects.toMatchObject({ code: "APP_STOPPED" });
  });

  it("releases the file when something on the way fails, so that the next start finds it free", async () => {
    const dir = tempFolder();
    const bad = service("bad").migrations({ one: "NONSENSE" });
    const message = expect.stringMatching(/bad: migration one: .*NONSENSE/);
    await expect(trial([bad], { dir })).rejects.toMatchObject({ code: "STATEMENT_FAILED", message });
    await expect(trial([service("good")], { dir })).resolves.toBeInstanceOf(Trial);
  });

  it.each(["drain", "nothing"])("names a wrong option: %s", async (option) => {
    const wrong = option === "drain" ? { drain: "soon" as never } : {};
    const services = option === "nothing" ? [{ name: "made by hand" } as never] : [service("idle")];
    expect(() => new Trial(services, wrong)).toThrow(expect.objectContaining({ code: "OPTION_INVALID" }));
  });
});

describe("SIGTERM", () => {
  it("drains the process: running handlers finish, and it ends by itself", async () => {
    const dir = tempFolder();
    const child = spawn(process.execPath, [new URL("./stop-process.js", import.meta.url).pathname, dir], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    const ended = once(child, "exit");
    expect((await lines.next()).value).toBe("handling");
    child.kill("SIGTERM");
    const rest: string[] = [];
    for await (const line of { [Symbol.asyncIterator]: () => lines }) rest.push(line);
    expect(await ended).toEqual([0, null]);
    expect(rest).toEqual(["aborted false", "closed"]);
    const t = await trial([working(Promise.resolve()).make()], { dir });
    await t.rest();
    expect(await times(t, "a")).toBe(1);
  });
});
