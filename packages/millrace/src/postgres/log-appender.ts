import { encodeBlock, encodeLine } from "../log/block.js";
import type { NewRecord } from "../log/log.js";
import { plainArray, textArray } from "./arrays.js";
import type { LogTopics } from "./log-topics.js";
import type { PgPool } from "./pool.js";
import { withSession } from "./session.js";

/** Readers take blocks whole. */
const linesMax = 256;
const charactersMax = 256 * 1024;

/** What is appended to one partition together. */
interface NewBlock {
  readonly topic: number;
  readonly partition: number;
  readonly records: NewRecord[];
  readonly lines: string[];
  characters: number;
}

/**
 * Appends records in one transaction; sets their offsets, which are dense. The rows of partitions are held until it commits: blocks
 * of a partition become visible in the order of their offsets, whoever appends.
 */
export async function appendRecords(
  at: { readonly pool: PgPool; readonly schema: string; readonly topics: LogTopics },
  records: readonly NewRecord[],
): Promise<readonly string[]> {
  if (records.length === 0) return [];
  const blocks = await blocksOf(at.topics, records);
  const sql = `SELECT unnest(${at.schema}.mr_append($1::integer[], $2::integer[], $3::integer[], $4::text[]))`;
  const rows = await withSession(at.pool, (session) =>
    session.rows(
      { name: `mr append ${at.schema}`, text: sql },
      plainArray(blocks.map(({ topic }) => topic)),
      plainArray(blocks.map(({ partition }) => partition)),
      plainArray(blocks.map((block) => block.records.length)),
      textArray(blocks.map(({ lines }) => encodeBlock(lines))),
    ),
  );
  for (const [index, block] of blocks.entries()) {
    const first = rows[index]?.[0] as number;
    for (const [line, record] of block.records.entries()) record.offset = first + line;
  }
  return [...new Set(records.map(({ topic }) => topic))];
}

/** By topic and partition, so that two who append never wait for each other crosswise. */
async function blocksOf(topics: LogTopics, records: readonly NewRecord[]): Promise<readonly NewBlock[]> {
  const open = new Map<string, NewBlock>();
  const blocks: NewBlock[] = [];
  for (const record of records) {
    const name = `${record.partition} ${record.topic}`;
    let block = open.get(name);
    if (block === undefined || block.lines.length >= linesMax || block.characters >= charactersMax) {
      const { number } = await topics.get(record.topic);
      block = { topic: number, partition: record.partition, records: [], lines: [], characters: 0 };
      open.set(name, block);
      blocks.push(block);
    }
    const line = encodeLine(foreign(record));
    block.records.push(record);
    block.lines.push(line);
    block.characters += line.length;
  }
  return blocks.sort((a, b) => a.topic - b.topic || a.partition - b.partition);
}

/** Ids are other programs' own, and texts may be no JSON. */
function foreign(record: NewRecord): NewRecord {
  return { ...record, named: true, data: typeof record.data === "string" ? Buffer.from(record.data) : record.data };
}
