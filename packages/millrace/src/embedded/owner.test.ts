import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterEach, describe, expect, it } from "vitest";
import { type Clock, systemClock } from "../runtime/clock.js";
import { silentLogger } from "../runtime/logger.js";
import { systemRandom } from "../runtime/random.js";
import { service } from "../service/declare.js";
import { endTrials, otherProgram, Trial, tempFolder, trial } from "../testing/trial.js";
import { virtualClock } from "../testing/virtual-clock.js";
import { embedded } from "./embedded.js";
import { openReadOnly } from "./read-only.js";

const children = new Set<ReturnType<typeof spawn>>();
afterEach(async () => {
  for (const child of children) child.kill("SIGKILL");
  children.clear();
  await endTrials();
});

/** Another process that opens the folder: says "owns" or the code and message of its failure, and stays. */
async function otherProcess(dir: string) {
  const child = spawn(process.execPath, [new URL("./owner-process.js", import.meta.url).pathname, dir], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  children.add(child);
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return { pid: child.pid, child, said: (await lines.next()).value as string };
}
const idle = () => service("idle");

function ownerPid(dir: string): number {
  return (JSON.parse(readFileSync(join(dir, "owner.json"), "utf8")) as { readonly pid: number }).pid;
}

/** How often the file has had a new owner. */
function epochOf(dir: string): number {
  const row = otherProgram(dir, (database) => database.prepare("SELECT epoch FROM mr_engine").get());
  return (row as { readonly epoch: number }).epoch;
}

describe("a second program on one folder", () => {
  it("takes part beside the first one, which stays its owner", async () => {
    const dir = tempFolder();
    const first = await otherProcess(dir);
    expect(first.said).toBe("owns");
    const second = await otherProcess(dir);
    expect(second.said).toBe("takes part");
    expect(ownerPid(dir)).toBe(first.pid);
  });

  it("is refused when the owner is stopped, naming it", async () => {
    const dir = tempFolder();
    const first = await otherProcess(dir);
    first.child.kill("SIGSTOP");
    const clock = virtualClock();
    const starting = expect(trial([idle()], { dir, clock })).rejects.toMatchObject({
      code: "STORE_OWNED",
      message: expect.stringContaining(`process ${first.pid}`),
    });
    let refused = false;
    void starting.finally(() => {
      refused = true;
    });
    while (!refused) await clock.advance(100);
    await starting;
  });

  it("may read the file meanwhile", async () => {
    const dir = tempFolder();
    await otherProcess(dir);
    const opened = openReadOnly(dir);
    expect(await opened.inspect.consumers(0)).toEqual([]);
    opened.close();
  });

  it("comes in as soon as the first has stopped, or was killed", async () => {
    const dir = tempFolder();
    const t = await trial([idle()], { dir });
    await t.stop();
    const other = await otherProcess(dir);
    expect(other.said).toBe("owns");
    const gone = once(other.child, "exit");
    other.child.kill("SIGKILL");
    await gone;
    await expect(trial([idle()], { dir })).resolves.toBeInstanceOf(Trial);
  });
});

describe("a process that was stopped while its writer started", () => {
  it("says so and lets the file go, instead of waiting for ever", async () => {
    const dir = tempFolder();
    let welcomes = 0;
    const after: Clock["after"] = (ms, run) => {
      if (ms !== 5_000) return systemClock.after(ms, run);
      welcomes += 1;
      queueMicrotask(run);
      return () => {};
    };
    // The time of a flush, as it sees it, puts the writer into a thread of its own.
    const clock = { ...systemClock, monotonic: () => performance.now() * 1_000, after };
    const context = { clock, random: systemRandom, logger: silentLogger };
    await expect(embedded(dir).open(context)).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
    expect(welcomes).toBe(1);
    const opened = await embedded(dir).open({ ...context, clock: systemClock });
    expect(await opened.log.topics()).toEqual([]);
    await opened.close();
  });
});

describe("a process that is let in after it had given up, and came in again", () => {
  it("works over the second connection, and looks for another owner only when that has gone: once", async () => {
    const dir = tempFolder();
    const { child } = await otherProcess(dir);
    // Its writer is in a thread of its own by now, and lets in whoever comes.
    const third = await otherProcess(dir);
    let welcomes = 0;
    const after: Clock["after"] = (ms, run) => {
      if (ms === 5_000) welcomes += 1;
      if (ms !== 5_000 || welcomes > 1) return systemClock.after(ms, run);
      queueMicrotask(run);
      return () => {};
    };
    const context = { clock: { ...systemClock, after }, random: systemRandom, logger: silentLogger };
    const opened = await embedded(dir).open(context);
    const topic = { name: "notes", partitions: 1, owner: "idle", key: "k", retentionMs: undefined };
    await opened.log.ensureTopic(topic);
    const before = epochOf(dir);
    for (const killed of [third.child, child]) {
      const gone = once(killed, "exit");
      killed.kill("SIGKILL");
      await gone;
    }
    await opened.log.ensureTopic(topic);
    expect([ownerPid(dir), welcomes, epochOf(dir)]).toEqual([process.pid, 2, before + 1]);
    await opened.close();
  });
});

describe("a lock that is some other file", () => {
  it("is named, and stays as it is", async () => {
    const dir = tempFolder();
    const garbage = "not a lock at all. ".repeat(60);
    writeFileSync(join(dir, "millrace.lock"), garbage);
    await expect(trial([idle()], { dir })).rejects.toMatchObject({
      code: "STORE_FORMAT",
      message: expect.stringMatching(/millrace\.lock is not the lock.*remove it/),
    });
    expect(readFileSync(join(dir, "millrace.lock"), "utf8")).toBe(garbage);
  });
});

describe("the engine's folder", () => {
  it("and its files are for their owner alone", async () => {
    const dir = join(tempFolder(), "made", "anew");
    await trial([idle()], { dir });
    const mode = (path: string) => statSync(path).mode & 0o777;
    expect(mode(dir)).toBe(0o700);
    for (const file of ["millrace.db", "millrace.db-wal", "millrace.lock", "owner.json"])
      expect([file, mode(join(dir, file)).toString(8)]).toEqual([file, "600"]);
  });

  it("is made private again when its file was opened to others", async () => {
    const dir = tempFolder();
    const t = await trial([idle()], { dir });
    await t.stop();
    chmodSync(join(dir, "millrace.db"), 0o666);
    await t.again([idle()]);
    expect(statSync(join(dir, "millrace.db")).mode & 0o777).toBe(0o600);
  });

  it("that cannot be made or written is named", async () => {
    const file = join(tempFolder(), "in-the-way");
    writeFileSync(file, "");
    await expect(trial([idle()], { dir: join(file, "data") })).rejects.toMatchObject({
      code: "STORE_UNAVAILABLE",
      message: expect.stringContaining(file),
    });
    for (const name of ["millrace.db", "owner.json"]) {
      const dir = tempFolder();
      mkdirSync(join(dir, name));
      await expect(trial([idle()], { dir })).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
    }
  });
});
