import type pg from "pg";
import { type Oddity, pendingIn, type StoredFacts, waitingIn } from "./facts.js";
import type { RestWatch } from "./ground.js";
import type { KafkaRecord } from "./kafka-log.js";
import { countTimers, readEntries, readOutgoing, readPlaces } from "./postgres-facts.js";
import { subscriptions } from "./work.js";

/** Reads topics from their beginning on. */
export interface TopicReader {
  /** What has come to these topics since it was last asked. */
  readOn(topics: readonly string[]): Promise<KafkaRecord[]>;
  close(): Promise<void>;
}

const topics = [...new Set(subscriptions.map(({ topic }) => topic))];
const nameOf = ({ topic, source, id }: { topic: string; source: string; id: string }) => `${topic} ${source} ${id}`;

/**
 * The log, each event once: the relay may repeat itself, and copies come after the first. Holds what commits have left to be
 * sent against it: all of that is there, and nothing else.
 */
export async function factsOfLog(
  client: pg.Client,
  reader: TopicReader,
): Promise<Pick<StoredFacts, "log" | "copies" | "oddities">> {
  const records = await reader.readOn(topics);
  const first = new Map<string, KafkaRecord>();
  const oddities: Oddity[] = [];
  for (const record of records) {
    const name = nameOf(record);
    const known = first.get(name);
    if (known === undefined) first.set(name, record);
    else if (contentOf(known) !== contentOf(record))
      oddities.push({ invariant: "I3", what: `${name} is in the log again with other content`, counted: "duplicated" });
  }
  const left = new Set((await readOutgoing(client)).map(nameOf));
  for (const name of left)
    if (!first.has(name))
      oddities.push({ invariant: "I6", what: `${name} was committed and never sent`, counted: "lost" });
  for (const name of first.keys())
    if (!left.has(name)) oddities.push({ invariant: "I2", what: `${name} is in the log and was not committed` });
  return { log: [...first.values()], copies: records.length - first.size, oddities };
}

function contentOf({ topic, partition, type, key, data }: KafkaRecord): string {
  return JSON.stringify([topic, partition, type, key, data]);
}

/** Watches servers in use until nothing is left to do. */
export class ServerWatch implements RestWatch {
  readonly #client: pg.Client;
  readonly #reader: TopicReader;
  /** Where each partition's last event is. */
  readonly #last = new Map<string, number>();
  readonly #sent = new Set<string>();

  constructor(client: pg.Client, reader: TopicReader) {
    this.#client = client;
    this.#reader = reader;
  }

  async left(): Promise<readonly string[]> {
    for (const record of await this.#reader.readOn(topics)) {
      this.#last.set(`${record.topic}/${record.partition}`, record.offset);
      this.#sent.add(nameOf(record));
    }
    const waiting = (await readOutgoing(this.#client)).map(nameOf).filter((name) => !this.#sent.has(name));
    const timers = await countTimers(this.#client);
    return [
      ...waiting.slice(0, 5).map((name) => `${name} is one of ${waiting.length} in the outbox that are not in the log`),
      ...pendingIn(await readPlaces(this.#client), this.#last),
      ...waitingIn(await readEntries(this.#client)),
      ...(timers === 0 ? [] : [`${timers} timers`]),
    ];
  }

  async close(): Promise<void> {
    await this.#client.end();
    await this.#reader.close();
  }
}
