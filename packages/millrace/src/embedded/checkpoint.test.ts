import { statSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Logger } from "../runtime/logger.js";
import { type Checkpointer, type CheckpointOptions, createCheckpointer } from "./checkpoint.js";
import { first, run } from "./query.js";
import { Scratch } from "./scratch.js";
import { openDatabase } from "./sqlite.js";

const kibibyte = 1024;

let scratch: Scratch;
let checkpointer: Checkpointer | undefined;
let warnings: string[];
beforeEach(() => {
  scratch = new Scratch();
  scratch.addTopic("orders");
  warnings = [];
});
afterEach(async () => {
  await checkpointer?.close();
  checkpointer = undefined;
  scratch.remove();
});

const logger: Logger = {
  debug() {},
  info() {},
  warn: (_fields, message) => void warnings.push(message),
  error: (_fields, message) => void warnings.push(message),
  child: () => logger,
};

function start(options: Partial<CheckpointOptions> = {}): Checkpointer {
  checkpointer = createCheckpointer({
    file: scratch.file,
    database: scratch.database,
    logger,
    askBytes: 256 * kibibyte,
    ...options,
  });
  return checkpointer;
}

/** One commit of about 64 KiB. */
function commit(): void {
  run(
    scratch.database,
    "INSERT INTO mr_audit(at, actor, act, target, reason) VALUES (1, '', '', '', ?)",
    "x".repeat(60_000),
  );
  checkpointer?.committed(64 * kibibyte);
}

const walBytes = () => statSync(`${scratch.file}-wal`).size;
const fileBytes = () => statSync(scratch.file).size;

async function until(met: () => boolean): Promise<void> {
  while (!met()) await new Promise<void>((turn) => setImmediate(turn));
}

describe("checkpoints", () => {
  it("are not made before enough was written", async () => {
    start();
    const before = fileBytes();
    for (let n = 0; n < 3; n += 1) commit();
    for (let turn = 0; turn < 50; turn += 1) await new Promise<void>((done) => setImmediate(done));
    expect(fileBytes()).toBe(before);
  });

  it("move what was written into the file, without this thread", async () => {
    start();
    const before = fileBytes();
    for (let n = 0; n < 4; n += 1) commit();
    // This thread has no part in it: its own connection makes no checkpoint.
    await until(() => fileBytes() > before + 3 * 60_000);
    expect(warnings).toEqual([]);
  });

  it("let the write-ahead log begin anew, so that it does not grow with what is written", async () => {
    start();
    let written = 0;
    await until(() => {
      commit();
      written += 64 * kibibyte;
      return written > 2_048 * kibibyte && walBytes() < written / 4;
    });
    expect(warnings).toEqual([]);
  });

  it("bound the write-ahead log under writing that never pauses", async () => {
    start({ walBytesMax: 1_024 * kibibyte });
    // A log that has begun anew does not grow with a commit, three times over.
    for (let times = 0; times < 3; times += 1)
      await until(() => {
        const before = walBytes();
        commit();
        return before > 1_024 * kibibyte && walBytes() === before;
      });
    expect(warnings).toEqual([]);
  });

  it("say so when a long read keeps the log from being emptied", async () => {
    const reader = openDatabase(scratch.file, { readOnly: true });
    reader.exec("BEGIN");
    reader.prepare("SELECT count(*) FROM mr_audit").get();
    start({ walBytesMax: 512 * kibibyte });
    await until(() => {
      commit();
      return warnings.length > 0;
    });
    expect(warnings[0]).toContain("a long read");
    reader.exec("ROLLBACK");
    reader.close();
  });

  it("go on between commits when the worker cannot open the file", async () => {
    start({ file: "/nowhere/at/all/millrace.db" });
    const before = fileBytes();
    for (let n = 0; n < 4; n += 1) commit();
    await until(() => warnings.length > 0);
    await until(() => fileBytes() > before);
    const after = fileBytes();
    for (let n = 0; n < 4; n += 1) commit();
    await until(() => fileBytes() > after);
  });

  it("start no worker that was never asked", async () => {
    start();
    await checkpointer?.close();
    commit();
    expect(warnings).toEqual([]);
  });

  it("are over when close has returned", async () => {
    start();
    for (let n = 0; n < 40; n += 1) commit();
    await checkpointer?.close();
    const [file, wal] = [fileBytes(), walBytes()];
    for (let turn = 0; turn < 50; turn += 1) await new Promise<void>((done) => setImmediate(done));
    expect([fileBytes(), walBytes()]).toEqual([file, wal]);
    // Nobody else has it open: it can be emptied to the end.
    expect(first(scratch.database, "PRAGMA wal_checkpoint(TRUNCATE)")).toMatchObject({ busy: 0, log: 0 });
  });

  it("are not asked for after close", async () => {
    start();
    await checkpointer?.close();
    const before = fileBytes();
    for (let n = 0; n < 40; n += 1) commit();
    for (let turn = 0; turn < 50; turn += 1) await new Promise<void>((done) => setImmediate(done));
    expect(fileBytes()).toBe(before);
  });
});
