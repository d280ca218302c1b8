import { spawn, spawnSync } from "node:child_process";
import { chmodSync, copyFileSync, existsSync, mkdirSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openReadOnly } from "./read-only.js";
import { Scratch } from "./scratch.js";
import { openDatabase } from "./sqlite.js";

let scratch: Scratch;
beforeEach(() => {
  scratch = new Scratch();
  scratch.addTopic("orders");
  scratch.append("orders", 1_000, {}, {});
});
afterEach(() => {
  chmodSync(scratch.dir, 0o700);
  scratch.remove();
});

function recordsIn(dir: string): number | undefined {
  const opened = openReadOnly(dir);
  try {
    const topics = opened.inspect.topics();
    return topics instanceof Promise ? undefined : topics[0]?.records;
  } finally {
    opened.close();
  }
}

/** What a process of its own sees, as the command line is one: connections that this process has left play no part. */
function recordsSeenBy(node: string, dir: string): number {
  const readOnly = new URL("./read-only.js", import.meta.url).href;
  const program = `
    import { openReadOnly } from ${JSON.stringify(readOnly)};
    const opened = openReadOnly(${JSON.stringify(dir)});
    process.stdout.write(String((await opened.inspect.topics())[0].records));`;
  const { stdout } = spawnSync(node, ["--input-type=module", "-e", program], { encoding: "utf8" });
  return Number(stdout);
}

/** Now, not at some moment: what it closes then is what the test is about. */
async function collectGarbage(): Promise<void> {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  for (let turn = 0; turn < 5; turn += 1) {
    collect();
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** A process that appends one more block and is then killed, with the block only in the write-ahead log. */
function killAfterCommit(scratch: Scratch): Promise<void> {
  const sqlite = new URL("./sqlite.js", import.meta.url).href;
  const program = `
    import { openDatabase } from ${JSON.stringify(sqlite)};
    const database = openDatabase(${JSON.stringify(scratch.file)});
    database.prepare("INSERT INTO mr_log VALUES (?, 1, 2000, '0', 0)").run(2 ** 38 + 2);
    process.stdout.write("committed");
    setInterval(() => {}, 1_000);`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", program], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  return new Promise((done) => {
    child.stdout.once("data", () => child.kill("SIGKILL"));
    child.once("exit", () => done());
  });
}

describe("opening a file to read", () => {
  it("works beside a process that writes it, and sees its commits", () => {
    expect(recordsIn(scratch.dir)).toBe(2);
    const opened = openReadOnly(scratch.dir);
    scratch.append("orders", 2_000, {});
    expect(opened.inspect.topics()).toMatchObject([{ records: 3 }]);
    opened.close();
  });

  it("works after the last process ended in order", () => {
    scratch.end();
    expect(recordsIn(scratch.dir)).toBe(2);
  });

  it("sees what a killed process had committed, which is only in the write-ahead log", async () => {
    scratch.end();
    await killAfterCommit(scratch);
    await collectGarbage();
    expect(statSync(`${scratch.file}-wal`).size).toBeGreaterThan(0);
    expect(recordsSeenBy(process.execPath, scratch.dir)).toBe(3);
    expect(recordsSeenBy(process.execPath, scratch.dir)).toBe(3);
  });

  it("cannot write", () => {
    const opened = openDatabase(scratch.file, { readOnly: true });
    expect(() => opened.exec("DELETE FROM mr_topics")).toThrow();
    opened.close();
  });

  it("says where it looked when there is no file", () => {
    const missing = join(scratch.dir, "elsewhere");
    expect(() => openReadOnly(missing)).toThrow(
      expect.objectContaining({ code: "NOT_FOUND", message: expect.stringContaining(join(missing, "millrace.db")) }),
    );
    expect(existsSync(missing)).toBe(false);
  });

  it("refuses another program's SQLite file, an empty one, and another format", () => {
    for (const sql of ["PRAGMA application_id = 7", "PRAGMA application_id = 0x6d696c6c; PRAGMA user_version = 99"]) {
      scratch.database.exec(sql);
      expect(() => openReadOnly(scratch.dir)).toThrow(expect.objectContaining({ code: "STORE_FORMAT" }));
    }
    scratch.end();
    writeFileSync(scratch.file, "");
    expect(() => openReadOnly(scratch.dir)).toThrow(expect.objectContaining({ code: "STORE_FORMAT" }));
  });

  it("refuses a file that is no database, and one that was cut off", () => {
    scratch.end();
    // Each in a folder of its own: a connection of this process must not know the file from before.
    const inFolder = (name: string) => {
      const dir = join(scratch.dir, name);
      mkdirSync(dir);
      return { dir, file: join(dir, "millrace.db") };
    };
    const rubbish = inFolder("rubbish");
    writeFileSync(rubbish.file, Buffer.alloc(10_000, "hello"));
    expect(() => openReadOnly(rubbish.dir)).toThrow(expect.objectContaining({ code: "STORE_DAMAGED" }));
    const cut = inFolder("cut");
    copyFileSync(scratch.file, cut.file);
    truncateSync(cut.file, 10_000);
    expect(() => openReadOnly(cut.dir)).toThrow(expect.objectContaining({ code: "STORE_DAMAGED" }));
  });
});

describe("a folder that cannot be written", () => {
  /** Reads as a user who may only read; root may write everywhere. */
  function readAsOther(file: string): Promise<{ code: number | null; output: string }> {
    chmodSync(scratch.dir, 0o755);
    for (const suffix of ["", "-wal", "-shm"]) if (existsSync(`${file}${suffix}`)) chmodSync(`${file}${suffix}`, 0o644);
    const module = new URL("./read-only.js", import.meta.url).href;
    const program = `
      import { openReadOnly } from ${JSON.stringify(module)};
      const opened = openReadOnly(${JSON.stringify(scratch.dir)});
      process.stdout.write(String(opened.inspect.topics()[0].records));`;
    const child = spawn(process.execPath, ["--input-type=module", "-e", program], {
      uid: 65_534,
      gid: 65_534,
      cwd: "/",
      stdio: ["ignore", "pipe", "pipe"],
    });
    let output = "";
    child.stdout.on("data", (text) => {
      output += text;
    });
    child.stderr.on("data", (text) => {
      output += text;
    });
    return new Promise((done, fail) => {
      child.once("error", fail);
      child.once("close", (code) => done({ code, output }));
    });
  }

  /** Why another user cannot be played here; undefined when one can. */
  function hindrance(): string | undefined {
    if (process.getuid?.() !== 0) return "only root can become another user";
    const reach = [process.execPath, fileURLToPath(new URL("./read-only.js", import.meta.url))];
    const unreached = reach.find((path) => spawnSync("test", ["-r", path], { uid: 65_534, gid: 65_534 }).status !== 0);
    return unreached === undefined ? undefined : `another user cannot read ${unreached}`;
  }

  it("can be read when the last process ended in order", async (context) => {
    context.skip(hindrance() !== undefined, hindrance());
    scratch.end();
    expect(await readAsOther(scratch.file)).toEqual({ code: 0, output: "2" });
  });

  it("can be read beside the process that writes", async (context) => {
    context.skip(hindrance() !== undefined, hindrance());
    expect(await readAsOther(scratch.file)).toEqual({ code: 0, output: "2" });
  });

  it("can be read after a kill", async (context) => {
    context.skip(hindrance() !== undefined, hindrance());
    scratch.end();
    await killAfterCommit(scratch);
    expect(await readAsOther(scratch.file)).toEqual({ code: 0, output: "3" });
  });
});
