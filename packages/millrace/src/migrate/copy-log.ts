import { createHash, type Hash } from "node:crypto";
import type { TopicHistory } from "../embedded/history.js";
import type { OpenLog } from "../engine/halves.js";
import { Failure } from "../failure/failure.js";
import type { LogRecord, NewRecord } from "../log/log.js";
import { walkLog } from "../store/log-walk.js";
import type { Offsets } from "./offsets.js";
import type { Source } from "./source.js";

/** A topic as it was moved. */
export interface MovedTopic {
  readonly topic: string;
  readonly records: number;
  /** Of these, so many were there already: an earlier run had been ended. */
  readonly before: number;
}

const batchMax = 500;

/**
 * Appends every record of a topic behind those that are there: what an earlier run appended is passed over, and checked. Each
 * key keeps its partition, each partition its order.
 *
 * @throws {Failure} CONFLICT when the new log's topic holds something else.
 */
export async function copyTopic(
  source: Source,
  log: OpenLog,
  { topic, offsets }: { readonly topic: TopicHistory; readonly offsets: Offsets },
): Promise<MovedTopic> {
  const { name } = topic.shape;
  const [starts, ends] = [await log.starts(name), await log.ends(name)];
  offsets.begin(name, starts);
  const there = await digests(log, name, { starts, ends });
  const passed = starts.map(() => ({ count: 0, hash: createHash("sha256") }));
  let batch: NewRecord[] = [];
  let records = 0;
  for (const record of source.records(topic)) {
    offsets.pass(record);
    records += 1;
    const partition = passed[record.partition] as (typeof passed)[number];
    const had = there[record.partition] as (typeof there)[number];
    if (partition.count < had.count) {
      partition.count += 1;
      digest(partition.hash, record);
      if (partition.count === had.count && partition.hash.digest("hex") !== had.hash)
        throw other(name, record.partition);
      continue;
    }
    batch.push(draftOf(record));
    if (batch.length < batchMax) continue;
    await log.append(batch);
    batch = [];
  }
  if (batch.length > 0) await log.append(batch);
  for (const [partition, { count }] of passed.entries())
    if (count < (there[partition]?.count ?? 0)) throw other(name, partition);
  return { topic: name, records, before: there.reduce((sum, { count }) => sum + count, 0) };
}

/**
 * Reads both logs whole, and compares them.
 *
 * @throws {Failure} CONFLICT when they differ.
 */
export async function verifyTopic(source: Source, log: OpenLog, topic: TopicHistory): Promise<string> {
  const { name } = topic.shape;
  const there = await digests(log, name, { starts: await log.starts(name), ends: await log.ends(name) });
  const here = there.map(() => ({ count: 0, hash: createHash("sha256") }));
  for (const record of source.records(topic)) {
    const partition = here[record.partition] as (typeof here)[number];
    partition.count += 1;
    digest(partition.hash, record);
  }
  const all = createHash("sha256");
  for (const [partition, { count, hash }] of here.entries()) {
    const hex = hash.digest("hex");
    if (count !== there[partition]?.count || hex !== there[partition]?.hash) throw other(name, partition);
    all.update(hex);
  }
  return all.digest("hex").slice(0, 16);
}

async function digests(
  log: OpenLog,
  topic: string,
  { starts, ends }: { readonly starts: readonly number[]; readonly ends: readonly number[] },
): Promise<{ count: number; hash: string }[]> {
  const each = starts.map(() => ({ count: 0, hash: createHash("sha256") }));
  const walk = { topic, from: starts, to: ends, bytesMax: Number.POSITIVE_INFINITY };
  await walkLog(log, walk, (record) => {
    const partition = each[record.partition] as (typeof each)[number];
    partition.count += 1;
    digest(partition.hash, record);
  });
  return each.map(({ count, hash }) => ({ count, hash: hash.digest("hex") }));
}

/** All of a record that both logs keep. */
function digest(hash: Hash, record: LogRecord): void {
  const { id, source, type, version, key, time, correlationId, causationId, hops, data } = record;
  const bytes = record.bytes === undefined ? null : Buffer.from(record.bytes).toString("base64");
  const said = [id, source, type, version, key, time, correlationId, causationId ?? null, hops, data ?? null, bytes];
  hash.update(JSON.stringify(said)).update("\n");
}

/** A record to be appended as it is. */
export function draftOf(record: LogRecord): NewRecord {
  const { appended: _, bytes, data, correlationId, ...rest } = record;
  return {
    ...rest,
    correlationId: correlationId === record.id ? undefined : correlationId,
    data: bytes ?? JSON.stringify(data),
    named: false,
    offset: -1,
  };
}

function other(topic: string, partition: number): Failure {
  return new Failure(
    "CONFLICT",
    `${topic}/${partition} of the new log holds other events than the file; remove the topic, or name another prefix or schema`,
  );
}
