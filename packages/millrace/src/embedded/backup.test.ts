import { existsSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { backup } from "./backup.js";
import { first, run } from "./query.js";
import { schema } from "./schema.js";
import { Scratch } from "./scratch.js";
import { type Database, openDatabase } from "./sqlite.js";

let scratch: Scratch;
let target: string;
beforeEach(() => {
  scratch = new Scratch();
  scratch.addTopic("orders");
  for (let n = 0; n < 50; n += 1) scratch.append("orders", 1_000 + n, { data: JSON.stringify("x".repeat(100_000)) });
  target = join(scratch.dir, "copy.db");
});
afterEach(() => scratch.remove());

const blocks = (database: Database) => first<{ n: number }>(database, "SELECT count(*) AS n FROM mr_log")?.n;

function inCopy<T>(read: (database: Database) => T): T {
  const copy = openDatabase(target, { readOnly: true });
  try {
    return read(copy);
  } finally {
    copy.close();
  }
}

describe("a backup", () => {
  it("is one whole file that only its owner may read, with what was only in the write-ahead log", async () => {
    await backup(scratch.database, target);
    expect(inCopy(blocks)).toBe(50);
    expect(inCopy((copy) => first(copy, "PRAGMA integrity_check"))).toEqual({ integrity_check: "ok" });
    expect(inCopy((copy) => first(copy, "PRAGMA user_version"))).toEqual(
      first(scratch.database, "PRAGMA user_version"),
    );
    expect(statSync(target).mode & 0o777).toBe(0o600);
    expect(readdirSync(scratch.dir).filter((name) => name.includes("copy"))).toEqual(["copy.db"]);
  });

  it("is of one moment, and ends, while others commit between its steps", async () => {
    let steps = 0;
    let done = false;
    const copying = backup(scratch.database, target).then(() => {
      done = true;
    });
    while (!done) {
      // Two rows in one commit: a copy of no single moment could hold one without the other.
      scratch.transact(() => {
        run(
          scratch.database,
          "INSERT INTO mr_audit(at, actor, act, target, reason) VALUES (?, 'a', 'x', '', '')",
          steps,
        );
        run(scratch.database, "UPDATE mr_engine SET commits = commits + 1");
      });
      steps += 1;
      await new Promise<void>((turn) => setImmediate(turn));
    }
    await copying;
    const { n, commits } = inCopy((copy) =>
      first<{ n: number; commits: number }>(
        copy,
        "SELECT (SELECT count(*) FROM mr_audit) AS n, commits FROM mr_engine",
      ),
    ) as { n: number; commits: number };
    expect(n).toBe(commits);
    expect(steps).toBeGreaterThan(1);
    expect(inCopy(blocks)).toBe(50);
  });

  it("can be made of a database in memory", async () => {
    const memory = openDatabase(":memory:");
    memory.exec(schema);
    memory.exec("INSERT INTO mr_log VALUES (1, 1, 1, '', 0)");
    await backup(memory, target);
    memory.close();
    expect(inCopy(blocks)).toBe(1);
  });

  it("never overwrites a file", async () => {
    writeFileSync(target, "precious");
    await expect(backup(scratch.database, target)).rejects.toMatchObject({ code: "CONFLICT" });
    expect(statSync(target).size).toBe(8);
  });

  it("is refused while another one of that name is being made", async () => {
    const one = backup(scratch.database, target);
    await expect(backup(scratch.database, target)).rejects.toMatchObject({ code: "CONFLICT" });
    await one;
    expect(inCopy(blocks)).toBe(50);
  });

  it("says so when a file of that name appears meanwhile, and leaves that file alone", async () => {
    const copying = backup(scratch.database, target);
    writeFileSync(target, "precious");
    await expect(copying).rejects.toMatchObject({ code: "CONFLICT" });
    expect(statSync(target).size).toBe(8);
    expect(readdirSync(scratch.dir).filter((name) => name.includes("partial"))).toEqual([]);
  });

  it("is refused in a folder that is not there", async () => {
    const nowhere = join(scratch.dir, "missing", "copy.db");
    await expect(backup(scratch.database, nowhere)).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
    expect(existsSync(nowhere)).toBe(false);
  });

  it("leaves nothing behind when it fails", async () => {
    scratch.database.exec("PRAGMA wal_checkpoint(TRUNCATE)");
    const copying = backup(scratch.database, target);
    writeFileSync(scratch.file, Buffer.alloc(16_384, 0x5a));
    await expect(copying).rejects.toMatchObject({ code: expect.stringMatching(/^STORE_/) });
    expect(readdirSync(scratch.dir).filter((name) => name.includes("copy"))).toEqual([]);
  });
});
