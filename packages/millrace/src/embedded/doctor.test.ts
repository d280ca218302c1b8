import { closeSync, openSync, writeSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { examine } from "./doctor.js";
import { first, run } from "./query.js";
import { Scratch } from "./scratch.js";
import { openDatabase } from "./sqlite.js";

let scratch: Scratch;
beforeEach(() => {
  scratch = new Scratch();
  scratch.addTopic("orders", { partitions: 2 });
  scratch.append("orders", 1_000, {}, {});
  scratch.register("c", { topic: "orders", types: ["order.placed"] });
});
afterEach(() => scratch.remove());

const unsound = () => examine(scratch.database, scratch.file).filter(({ ok }) => !ok);

describe("the doctor", () => {
  it("finds nothing wrong with a sound file, and says what it looked at", () => {
    const findings = examine(scratch.database, scratch.file);
    expect(findings.map(({ check }) => check)).toEqual([
      "integrity",
      "format",
      "wal",
      "space",
      "log",
      "positions",
      "dead-letters",
    ]);
    expect(findings.filter(({ ok }) => !ok)).toEqual([]);
  });

  it("leaves out files and disk for a database in memory", () => {
    expect(examine(scratch.database, undefined).map(({ check }) => check)).not.toContain("wal");
  });

  it("finds a page that was overwritten", () => {
    for (let n = 0; n < 300; n += 1) scratch.append("orders", 2_000 + n, { data: JSON.stringify("x".repeat(500)) });
    const root =
      first<{ rootpage: number }>(scratch.database, "SELECT rootpage FROM sqlite_schema WHERE name = 'mr_log'")
        ?.rootpage ?? 0;
    scratch.database.exec("PRAGMA wal_checkpoint(TRUNCATE)");
    scratch.database.close();
    const handle = openSync(scratch.file, "r+");
    writeSync(handle, Buffer.alloc(64, 0x5a), 0, 64, (root - 1) * 8_192);
    closeSync(handle);
    const database = openDatabase(scratch.file, { readOnly: true });
    const findings = examine(database, scratch.file);
    database.close();
    expect(findings).toMatchObject([{ check: "integrity", ok: false, detail: expect.stringContaining("damaged") }]);
  });

  it("finds a file of another format", () => {
    scratch.database.exec("PRAGMA user_version = 99");
    expect(unsound()).toMatchObject([{ check: "format", detail: expect.stringContaining("format 99") }]);
  });

  it("finds positions past the log's end, before its beginning, and those that are missing", () => {
    scratch.move("c", "orders", 3);
    run(scratch.database, "UPDATE mr_topics SET first = 1");
    run(
      scratch.database,
      "INSERT INTO mr_consumers VALUES ('lost', 'shop', ?, 0)",
      JSON.stringify([{ topic: "orders", incarnation: "one", types: ["order.placed"] }]),
    );
    const [finding] = unsound();
    expect(finding?.detail).toContain("c: its position in orders/0 is 3, past the topic's end 2");
    expect(finding?.detail).toContain("c: its position in orders/1 is 0, but the topic begins at 1");
    expect(finding?.detail).toContain("lost: its position in orders/1 is missing");
  });

  it("finds finished ranges past the log's end", () => {
    scratch.move("c", "orders", 0, { finished: [[1, 9]] });
    expect(unsound()).toMatchObject([{ check: "positions", detail: expect.stringContaining("is 9, past") }]);
  });

  it("finds topics that are gone or were made anew", () => {
    run(scratch.database, "UPDATE mr_topics SET incarnation = 'two'");
    expect(unsound()).toMatchObject([{ check: "positions", detail: expect.stringContaining("made anew") }]);
    run(scratch.database, "DELETE FROM mr_topics");
    expect(unsound()).toMatchObject([{ check: "positions", detail: expect.stringContaining("does not exist") }]);
  });

  it("names the oldest dead letter", () => {
    scratch.addEntry({ consumer: "c", topic: "orders", offset: 0, state: "dead", since: Date.UTC(2026, 0, 2) });
    scratch.addEntry({ consumer: "c", topic: "orders", offset: 1, state: "dead", since: Date.UTC(2026, 0, 3) });
    expect(unsound()).toMatchObject([
      { check: "dead-letters", detail: expect.stringContaining("2 dead letters, the oldest since 2026-01-02") },
    ]);
  });
});
