import { Failure } from "../failure/failure.js";
import { decodeBlock, decodeOne } from "../log/block.js";
import type { Batch, LogRecord, ReadRequest, RecordPlace } from "../log/log.js";
import type { LogTopics } from "./log-topics.js";
import type { PgPool } from "./pool.js";
import { type Row, withSession } from "./session.js";

/** Blocks of one partition that are looked at for one batch. */
const blocksMax = 64;

/** Reads partitions of a log in PostgreSQL. Each read is one statement. */
export class LogBlocks {
  readonly #pool: PgPool;
  readonly #schema: string;
  readonly #topics: LogTopics;

  constructor(pool: PgPool, schema: string, topics: LogTopics) {
    this.#pool = pool;
    this.#schema = schema;
    this.#topics = topics;
  }

  /** @throws {Failure} POSITION_MISSING when an offset is below where its partition begins. */
  async read({ topic: name, from, recordsMax, bytesMax }: ReadRequest): Promise<Batch> {
    const { number } = await this.#topics.get(name);
    const wanted = from.flatMap((offset, partition) => (offset < 0 ? [] : [[partition, offset] as const]));
    const rows = await this.#rows(
      readText(this.#schema),
      number,
      wanted.map(([partition]) => partition),
      wanted.map(([, offset]) => offset),
      Math.max(1, recordsMax),
      Math.max(1, bytesMax),
      blocksMax,
    );
    const next = [...from];
    const ends = new Map<number, number>();
    const records: LogRecord[] = [];
    const sizes: number[] = [];
    let bytes = 0;
    for (const row of rows) {
      const [partition, start, end, first, count, appended, body] = row as [
        ...[number, number, number, number | null, number, number, string],
      ];
      ends.set(partition, end);
      if ((from[partition] as number) < start) throw missing(`${name}/${partition}`, from[partition] as number, start);
      if (first === null) continue;
      bytes += body.length;
      const size = Math.ceil(body.length / count);
      for (const record of decodeBlock(name, first, appended, body)) {
        if (record.offset < (from[partition] as number)) continue;
        records.push(record);
        sizes.push(size);
      }
      next[partition] = Math.max(next[partition] as number, first + count);
    }
    const atEnd = [...ends].every(([partition, end]) => (next[partition] as number) >= end);
    return { records, sizes, next, atEnd, bytes };
  }

  async record({ topic: name, partition, offset }: RecordPlace): Promise<LogRecord | undefined> {
    const { number } = await this.#topics.get(name);
    const [row] = await this.#rows(
      `SELECT first, count, appended, body FROM ${this.#schema}.mr_log
       WHERE topic = $1 AND partition = $2 AND first <= $3 ORDER BY first DESC LIMIT 1`,
      ...[number, partition, offset],
    );
    if (row === undefined) return undefined;
    const [first, count, appended, body] = row as [number, number, number, string];
    return offset < first + count ? decodeOne(name, { first, appended, body }, offset) : undefined;
  }

  ends(topic: string): Promise<readonly number[]> {
    return this.#bounds(topic, "next");
  }

  starts(topic: string): Promise<readonly number[]> {
    return this.#bounds(topic, "first");
  }

  async offsetsAt(name: string, at: number): Promise<readonly number[]> {
    const { number } = await this.#topics.get(name);
    const rows = await this.#rows(
      `SELECT coalesce((SELECT l.first FROM ${this.#schema}.mr_log AS l WHERE l.topic = p.topic AND l.partition = p.partition
         AND l.appended >= $2 ORDER BY l.appended, l.first LIMIT 1), p.next)
       FROM ${this.#schema}.mr_log_partitions AS p WHERE topic = $1 ORDER BY partition`,
      ...[number, at],
    );
    return rows.map(([offset]) => offset as number);
  }

  async #bounds(name: string, column: "first" | "next"): Promise<readonly number[]> {
    const { number } = await this.#topics.get(name);
    const sql = `SELECT ${column} FROM ${this.#schema}.mr_log_partitions WHERE topic = $1 ORDER BY partition`;
    return (await this.#rows(sql, number)).map(([offset]) => offset as number);
  }

  #rows(text: string, ...values: readonly unknown[]): Promise<readonly Row[]> {
    return withSession(this.#pool, (session) => session.rows(text, ...values));
  }
}

function missing(where: string, offset: number, start: number): Failure {
  return new Failure(
    "POSITION_MISSING",
    `${where}: offset ${offset} is not there any more: the log begins at ${start}. Nothing was skipped: retention or somebody removed records that were still to be read`,
    { details: { where, offset } },
  );
}

/**
 * Blocks from each partition in turn, as many as the limits allow, one at least. Partitions without any come, too, with their
 * bounds: all of one moment.
 */
function readText(schema: string): string {
  return `WITH wanted AS (
      SELECT w.partition, w.at, p.first AS start, p.next AS past FROM unnest($2::integer[], $3::bigint[]) AS w(partition, at)
      JOIN ${schema}.mr_log_partitions AS p ON p.topic = $1 AND p.partition = w.partition),
    found AS (SELECT b.*, w.partition, row_number() OVER (PARTITION BY w.partition ORDER BY b.first) AS turn FROM wanted AS w
      CROSS JOIN LATERAL (SELECT l.first, l.count, l.appended, l.body FROM ${schema}.mr_log AS l WHERE l.topic = $1 AND l.partition = w.partition
        AND l.first >= coalesce((SELECT max(m.first) FROM ${schema}.mr_log AS m
          WHERE m.topic = $1 AND m.partition = w.partition AND m.first <= w.at), 0)
        AND l.first + l.count > w.at ORDER BY l.first LIMIT $6) AS b),
    summed AS (SELECT *, sum(count) OVER before AS records, sum(octet_length(body)) OVER before AS bytes FROM found
      WINDOW before AS (ORDER BY turn, partition ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)),
    taken AS (SELECT * FROM summed WHERE coalesce(records, 0) < $4 AND coalesce(bytes, 0) < $5)
    SELECT w.partition, w.start, w.past, t.first, t.count, t.appended, t.body FROM wanted AS w
    LEFT JOIN taken AS t ON t.partition = w.partition ORDER BY w.partition, t.first`;
}
