import { statfsSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { Failure } from "../failure/failure.js";
import type { Position } from "../store/unit.js";
import { storeFailure } from "./errors.js";
import { checkFormat } from "./format.js";
import { readBody, readTopics, type TopicHistory, walkBlocks } from "./history.js";
import { all, first } from "./query.js";
import type { Database } from "./sqlite.js";
import { readPositions, readRegistrations } from "./standing.js";

/** One thing looked at: sound or not, and a sentence for people. */
export interface Finding {
  readonly check: string;
  readonly ok: boolean;
  readonly detail: string;
}

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
  const topics = new Map(readTopics(database).map((topic) => [topic.shape.name, topic]));
  const known = readPositions(database);
  const problems = known.flatMap((position) => strayed(position, topics.get(position.topic)));
  const names = new Set(known.map(({ consumer, topic, partition }) => JSON.stringify([consumer, topic, partition])));
  for (const { consumer, topics: heard } of readRegistrations(database)) {
    for (const { topic: name, incarnation } of heard) {
      const topic = topics.get(name);
      if (topic === undefined) problems.push(`${consumer}: topic ${name} does not exist`);
      else if (topic.shape.incarnation !== incarnation)
        problems.push(`${consumer}: topic ${name} was deleted and made anew`);
      for (let partition = 0; partition < (topic?.shape.partitions ?? 0); partition += 1) {
        if (!names.has(JSON.stringify([consumer, name, partition])))
          problems.push(`${consumer}: its position in ${name}/${partition} is missing`);
      }
    }
  }
  if (problems.length === 0) return { ok: true, detail: `${known.length} positions, all inside their topics` };
  const more = problems.length > problemsMax ? `; and ${problems.length - problemsMax} more` : "";
  return {
    ok: false,
    detail: `${problems.slice(0, problemsMax).join("; ")}${more}. Restore a backup, or forget the consumer`,
  };
}

function strayed(
  { consumer, topic: name, partition, frontier, finished }: Position,
  topic: TopicHistory | undefined,
): string[] {
  if (topic === undefined) return [`${consumer}: it has a position in ${name}, which does not exist`];
  const reach = finished.at(-1)?.[1] ?? frontier;
  if (Math.max(reach, frontier) > topic.end)
    return [`${consumer}: its position in ${name}/${partition} is ${reach}, past the topic's end ${topic.end}`];
  if (frontier < topic.first)
    return [`${consumer}: its position in ${name}/${partition} is ${frontier}, but the topic begins at ${topic.first}`];
  return [];
}

function deadLetters(database: Database): Omit<Finding, "check"> {
  const dead = first<{ n: number; since: number | null }>(
    database,
    "SELECT count(*) AS n, min(since) AS since FROM mr_lane_entries WHERE state = 'dead'",
  );
  if (dead === undefined || dead.n === 0 || dead.since === null) return { ok: true, detail: "no dead letters" };
  const since = new Date(dead.since).toISOString();
  return { ok: false, detail: `${dead.n} dead letters, the oldest since ${since}; see millrace dead-letters ls` };
}

const mebibytes = (bytes: number) => `${(bytes / 1024 / 1024).toFixed(1)} MiB`;
