import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { endTrials, tempFolder } from "../testing/trial.js";
import { refuseCutLog } from "./log-check.js";
import { type Database, openDatabase } from "./sqlite.js";

afterEach(endTrials);

const pageBytes = 8_192;
const frameBytes = pageBytes + 24;
const logHeaderBytes = 32;

interface Copy {
  readonly bytes: Buffer;
  readonly log: Buffer;
}

/** A file as a killed process leaves it, with what `write` did. */
function killed(write: (database: Database) => void, from?: Copy): Copy {
  const file = from === undefined ? join(tempFolder(), "millrace.db") : placed(from);
  const database = openDatabase(file);
  if (from === undefined) database.exec("CREATE TABLE things(id INTEGER PRIMARY KEY, text TEXT)");
  write(database);
  const copy = { bytes: readFileSync(file), log: readFileSync(`${file}-wal`) };
  database.close();
  return copy;
}

function placed({ bytes, log }: Copy): string {
  const dir = join(tempFolder(), "copy");
  mkdirSync(dir);
  writeFileSync(join(dir, "millrace.db"), bytes);
  writeFileSync(join(dir, "millrace.db-wal"), log);
  return join(dir, "millrace.db");
}

const look = (copy: Copy) => refuseCutLog(placed(copy));
function insert(database: Database, rows: number, bytes: number): void {
  database.exec("BEGIN");
  const into = database.prepare("INSERT INTO things(text) VALUES (?)");
  for (let row = 0; row < rows; row += 1) into.run("x".repeat(bytes));
  database.exec("COMMIT");
}
/** Ten commits of several pages each. */
const tenCommits = (database: Database) => {
  for (let n = 0; n < 10; n += 1) insert(database, 5, 3_000);
};
const count = (copy: Copy): number => {
  const database = openDatabase(placed(copy));
  try {
    return (database.prepare("SELECT count(*) AS n FROM things").get() as { n: number }).n;
  } catch {
    // Not even the table is there.
    return 0;
  } finally {
    database.close();
  }
};
/** Where commits end in the log, as frames. */
function commitsIn(log: Buffer): readonly number[] {
  const found: number[] = [];
  for (let frame = 0; logHeaderBytes + (frame + 1) * frameBytes <= log.length; frame += 1)
    if (log.readUInt32BE(logHeaderBytes + frame * frameBytes + 4) !== 0) found.push(frame);
  return found;
}

describe("a write-ahead log", () => {
  it("that is as it was written is opened", () => {
    const copy = killed(tenCommits);
    look(copy);
    expect([count(copy), commitsIn(copy.log).length]).toEqual([50, 11]);
    refuseCutLog(join(tempFolder(), "millrace.db"));
  });

  it("whose last commit was cut short, at whatever byte or page, is opened without it", () => {
    const copy = killed(tenCommits);
    const [last, before] = commitsIn(copy.log).toReversed() as [number, number];
    for (let frame = before + 1; frame <= last; frame += 1) {
      const at = logHeaderBytes + frame * frameBytes;
      const cut = { ...copy, log: copy.log.subarray(0, at + 100) };
      look(cut);
      expect(count(cut)).toBe(45);
      // Pages reach the disk in any order: one of them has not, the commit's end has.
      const torn = { ...copy, log: Buffer.from(copy.log).fill(0, at, at + frameBytes) };
      look(torn);
      expect(count(torn)).toBe(45);
    }
  });

  it("with what was undone, or written over after a commit was cut short, or left of an earlier pass, is opened", () => {
    const undone = killed((database) => {
      database.exec("PRAGMA cache_size = 5; PRAGMA cache_spill = 5");
      insert(database, 1, 10);
      database.exec("BEGIN");
      for (let row = 0; row < 200; row += 1)
        database.prepare("INSERT INTO things(text) VALUES (?)").run("y".repeat(3_000));
      database.exec("ROLLBACK");
      for (let n = 0; n < 3; n += 1) insert(database, 1, 10);
    });
    expect(undone.log.length).toBeGreaterThan(50 * frameBytes);
    look(undone);
    expect(count(undone)).toBe(4);

    const copy = killed(tenCommits);
    const [, before] = commitsIn(copy.log).toReversed() as [number, number];
    const at = logHeaderBytes + (before + 1) * frameBytes;
    const torn = { ...copy, log: Buffer.from(copy.log).fill(0, at, at + frameBytes) };
    const on = killed((database) => insert(database, 1, 10), torn);
    look(on);
    const again = { ...on, log: Buffer.from(on.log).fill(0, at, at + frameBytes) };
    look(again);
    expect([count(on), count(again)]).toEqual([46, 45]);

    const passes = killed((database) => {
      tenCommits(database);
      database.exec("PRAGMA wal_checkpoint(RESTART)");
      insert(database, 1, 10);
    });
    look(passes);
    const stale = Buffer.from(passes.log);
    stale[stale.length - 500] = (stale.at(-500) as number) ^ 1;
    look({ ...passes, log: stale });
    expect(count(passes)).toBe(51);
  });

  it("of which any byte has changed, with two commits or more behind it, is refused: they would be lost", () => {
    const copy = killed(tenCommits);
    const end = logHeaderBytes + ((commitsIn(copy.log).at(-3) as number) + 1) * frameBytes;
    const steps = [...Array(logHeaderBytes).keys(), ...Array.from({ length: 400 }, (_, n) => 32 + n * 431)];
    for (const at of steps.filter((at) => at < end)) {
      const flipped = Buffer.from(copy.log);
      flipped[at] = (flipped[at] as number) ^ 4;
      const damaged = { ...copy, log: flipped };
      const missing = 50 - count(damaged);
      const refused = expect.objectContaining({ code: "STORE_DAMAGED" });
      if (missing > 0) expect(() => look(damaged), `byte ${at}`).toThrow(refused);
    }
  });
});
