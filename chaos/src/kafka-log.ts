import { Consumer } from "@platformatic/kafka";
import type { Logged } from "./facts.js";

/** A record of the log as a program of its own reads it: an event with where it came from. */
export interface KafkaRecord extends Logged {
  readonly source: string;
}

type Batches = NonNullable<
  Awaited<ReturnType<Consumer["fetch"]>>["responses"][number]["partitions"][number]["records"]
>;

const readMsMax = 10_000;

/** Reads topics of a cluster from their beginning on, with the client alone: no part of Millrace has a hand in it. */
export class KafkaTopics {
  readonly #consumer: Consumer;
  readonly #prefix: string;
  /** The next offset to read, by topic and partition. */
  readonly #next = new Map<string, bigint>();

  constructor(brokers: string, prefix: string) {
    this.#prefix = prefix;
    const client = { clientId: "auditor", bootstrapBrokers: brokers.split(","), retries: 3, retryDelay: 200 };
    this.#consumer = new Consumer({ ...client, groupId: `${prefix}auditor`, timeout: readMsMax, maxWaitTime: 100 });
  }

  /** What has come to these topics since it was last asked; those that do not exist yet are left out. */
  async readOn(topics: readonly string[]): Promise<KafkaRecord[]> {
    const records: KafkaRecord[] = [];
    for (const topic of topics) {
      const name = this.#prefix + topic;
      const metadata = await this.#consumer.metadata({ topics: [name], forceUpdate: true }).catch(unknown);
      const place = metadata?.topics.get(name);
      if (place === undefined) continue;
      for (const [partition, { leader }] of place.partitions.entries())
        await this.#readPartition({ topic, id: place.id, partition, leader }, records);
    }
    return records;
  }

  async close(): Promise<void> {
    await this.#consumer.close(true);
  }

  async #readPartition(
    { topic, id, partition, leader }: { topic: string; id: string; partition: number; leader: number },
    into: KafkaRecord[],
  ): Promise<void> {
    const spot = `${topic}/${partition}`;
    for (;;) {
      const fetchOffset = this.#next.get(spot) ?? 0n;
      const { responses } = await this.#consumer.fetch({
        node: leader,
        maxWaitTime: 0,
        minBytes: 0,
        maxBytes: 16 << 20,
        topics: [
          {
            topicId: id,
            partitions: [
              { partition, currentLeaderEpoch: -1, fetchOffset, lastFetchedEpoch: -1, partitionMaxBytes: 4 << 20 },
            ],
          },
        ],
      });
      const batches = responses[0]?.partitions[0]?.records ?? [];
      for (const record of recordsOf(batches, topic, partition))
        if (BigInt(record.offset) >= fetchOffset) into.push(record);
      const last = batches.at(-1);
      if (last === undefined) return;
      this.#next.set(spot, last.firstOffset + BigInt(last.lastOffsetDelta) + 1n);
    }
  }
}

/** There is no such topic yet. */
function unknown(error: unknown): undefined {
  if (error instanceof Error && error.message.startsWith("Unknown topic")) return undefined;
  throw error;
}

function* recordsOf(batches: Batches, topic: string, partition: number): Iterable<KafkaRecord> {
  for (const { firstOffset, firstTimestamp, records } of batches)
    for (const { offsetDelta, timestampDelta, key, value, headers } of records) {
      const named = new Map(headers.map(([name, text]) => [String(name), String(text)]));
      yield {
        topic,
        partition,
        offset: Number(firstOffset) + offsetDelta,
        id: named.get("ce_id") ?? "",
        source: named.get("ce_source") ?? "",
        type: named.get("ce_type") ?? "",
        key: String(key),
        appended: Number(firstTimestamp + timestampDelta),
        data: JSON.parse(String(value)) as Logged["data"],
      };
    }
}
