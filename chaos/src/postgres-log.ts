import type pg from "pg";
import type { Logged } from "./facts.js";
import type { KafkaRecord } from "./kafka-log.js";
import { auditor } from "./postgres-facts.js";
import type { TopicReader } from "./server-log.js";

/** A record as a block of the log has it; more follows, which is not looked at. */
type Line = [
  id: string,
  partition: number,
  type: string,
  version: number,
  source: string,
  key: string,
  ...between: [unknown, unknown, unknown, unknown, unknown],
  data: unknown,
];

/** Reads topics of the log in PostgreSQL from their beginning on, with SQL of its own. */
export class PostgresTopics implements TopicReader {
  readonly #url: string;
  #client: pg.Client | undefined;
  /** The next offset to read, by topic and partition. */
  readonly #next = new Map<string, number>();

  constructor(url: string) {
    this.#url = url;
  }

  async readOn(topics: readonly string[]): Promise<KafkaRecord[]> {
    this.#client ??= await auditor(this.#url);
    const { rows } = await this.#client.query<{ topic: string; partition: number; number: number }>(
      `SELECT t.name AS topic, p.partition, t.topic AS number FROM millracelog.mr_log_partitions AS p
       JOIN millracelog.mr_log_topics AS t ON t.topic = p.topic WHERE t.name = ANY($1)`,
      [topics],
    );
    const records: KafkaRecord[] = [];
    for (const { topic, partition, number } of rows)
      records.push(...(await this.#readPartition(this.#client, { topic, partition, number })));
    return records;
  }

  async close(): Promise<void> {
    await this.#client?.end();
  }

  async #readPartition(
    client: pg.Client,
    { topic, partition, number }: { topic: string; partition: number; number: number },
  ): Promise<KafkaRecord[]> {
    const spot = `${topic}/${partition}`;
    const { rows: blocks } = await client.query<{ first: number; appended: number; body: string }>(
      "SELECT first, appended, body FROM millracelog.mr_log WHERE topic = $1 AND partition = $2 AND first >= $3 ORDER BY first",
      [number, partition, this.#next.get(spot) ?? 0],
    );
    return blocks.flatMap(({ first, appended, body }) => {
      const lines = JSON.parse(body) as Line[];
      this.#next.set(spot, first + lines.length);
      return lines.map(([id, , type, , source, key, , , , , , data], index) => ({
        ...{ topic, partition, offset: first + index, id, source, type, key, appended },
        data: data as Logged["data"],
      }));
    });
  }
}
