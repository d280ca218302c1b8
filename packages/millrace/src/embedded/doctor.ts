import { statfsSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { Failure } from "../failure/failure.js";
import { deadLettersFinding, type Finding, positionsFinding, type TopicExtent } from "../store/findings.js";
import { storeFailure } from "./errors.js";
import { checkFormat } from "./format.js";
import { readBody, readTopics, walkBlocks } from "./history.js";
import { all, first } from "./query.js";
import type { Database } from "./sqlite.js";
import { readPositions, readRegistrations } from "./standing.js";

const walBytesMax = 256 * 1024 * 1024;
const freeBytesMin = 256 * 1024 * 1024;
const problemsMax = 10;

/**
 * Looks at the file and at what it says about consumers. Reads the whole file: on a large one this takes seconds.
 * `file` is undefined for a database in memory.
 */
export function examine(database: Database, file: string | undefined): Finding[] {
  const findings = [guarded("integrity", () => integrity(database))];
  if (findings[0]?.ok === false) return findings;
  findings.push(guarded("format", () => format(database, file ?? ":memory:")));
  if (findings[1]?.ok === false) return findings;
  if (file !== undefined)
    findings.push(
      guarded("wal", () => wal(file)),
      guarded("space", () => space(file)),
    );
  findings.push(
    guarded("log", () => log(database)),
    guarded("positions", () => positions(database)),
    guarded("dead-letters", () => deadLetters(database)),
  );
  return findings;
}

/** A check that fails is a finding, so that the others still run. */
function guarded(check: string, look: () => Omit<Finding, "check">): Finding {
  try {
    return { check, ...look() };
  } catch (error) {
    return { check, ok: false, detail: storeFailure(error).message };
  }
}

function integrity(database: Database): Omit<Finding, "check"> {
  const problems = all<{ quick_check: string }>(database, `PRAGMA quick_check(${problemsMax})`).map(
    (row) => row.quick_check,
  );
  const ok = problems.length === 1 && problems[0] === "ok";
  const detail = ok
    ? "SQLite's quick_check finds no damage"
    : `the file is damaged; stop the app, keep a copy, restore a backup: ${problems.join("; ")}`;
  return { ok, detail };
}

function format(database: Database, file: string): Omit<Finding, "check"> {
  checkFormat(database, file);
  const engine = first<{ commits: number; epoch: number }>(database, "SELECT commits, epoch FROM mr_engine");
  return { ok: true, detail: `a file of Millrace, ${engine?.commits ?? 0} commits, owner epoch ${engine?.epoch ?? 0}` };
}

function wal(file: string): Omit<Finding, "check"> {
  const bytes = statSync(`${file}-wal`, { throwIfNoEntry: false })?.size ?? 0;
  if (bytes <= walBytesMax) return { ok: true, detail: `the write-ahead log has ${mebibytes(bytes)}` };
  return {
    ok: false,
    detail: `the write-ahead log has ${mebibytes(bytes)}: a reader keeps it from being checkpointed; end long reads and backups`,
  };
}

function space(file: string): Omit<Finding, "check"> {
  const disk = statfsSync(dirname(file));
  const bytes = disk.bavail * disk.bsize;
  if (bytes >= freeBytesMin) return { ok: true, detail: `${mebibytes(bytes)} free on the disk` };
  return { ok: false, detail: `only ${mebibytes(bytes)} free on the disk: free some before writes are refused` };
}

/** Reads every block: each says whether it is as it was written. */
function log(database: Database): Omit<Finding, "check"> {
  let records = 0;
  for (const topic of readTopics(database)) {
    let next = topic.first;
    for (const block of walkBlocks(database, topic, { from: topic.first, to: topic.end })) {
      if (block.start > next)
        throw new Failure("STORE_DAMAGED", `${topic.shape.name}@${next}: the records up to ${block.start} are missing`);
      readBody(database, topic, block);
      records += block.end - block.start;
      next = block.end;
    }
  }
  return { ok: true, detail: `${records} records, each block as it was written` };
}

function positions(database: Database): Omit<Finding, "check"> {
  const topics = readTopics(database).map(({ shape, first: start, end }): [string, TopicExtent] => {
    return [shape.name, { ...shape, first: () => start, end: () => end }];
  });
  return positionsFinding(readRegistrations(database), readPositions(database), new Map(topics));
}

function deadLetters(database: Database): Omit<Finding, "check"> {
  const dead = first<{ n: number; since: number | null }>(
    database,
    "SELECT count(*) AS n, min(since) AS since FROM mr_lane_entries WHERE state = 'dead'",
  );
  return deadLettersFinding(dead?.n ?? 0, dead?.since);
}

const mebibytes = (bytes: number) => `${(bytes / 1024 / 1024).toFixed(1)} MiB`;
