import { Failure } from "../failure/failure.js";
import type { Logger } from "../runtime/logger.js";
import type { Cluster } from "./cluster.js";
import type { ForeignMapping } from "./foreign.js";

/** Where a topic is. */
export interface TopicPlace {
  /** As the contracts call it, and as Kafka does. */
  readonly topic: string;
  readonly kafkaTopic: string;
  /** Changes when the topic is deleted and made anew. */
  readonly id: string;
  /** The broker that leads each partition. */
  readonly leaders: readonly number[];
  readonly foreign: ForeignMapping | undefined;
  /** Told of records that nobody has said how to read. */
  readonly unmapped: (where: string) => void;
}

/** How long a topic that was there may be unknown before it counts as deleted: brokers that start learn of it late. */
const goneMs = 5_000;

/** Knows the topics in use: their ids, and who leads their partitions. */
export class Directory {
  readonly #cluster: Cluster;
  readonly #known = new Map<string, TopicPlace>();
  readonly #asked = new Map<string, Promise<TopicPlace>>();
  readonly #warned = new Set<string>();
  readonly #logger: Logger;

  constructor(cluster: Cluster, logger: Logger) {
    this.#cluster = cluster;
    this.#logger = logger;
  }

  /** What Kafka calls a topic. */
  kafkaName(topic: string): string {
    const { topics, prefix } = this.#cluster.settings;
    return topics.get(topic)?.name ?? prefix + topic;
  }

  /** What the contracts call a topic of Kafka; undefined for one that is none of this log's. */
  nameOf(kafkaTopic: string): string | undefined {
    const { topics, prefix } = this.#cluster.settings;
    for (const [topic, { name }] of topics) if (name === kafkaTopic) return topic;
    return kafkaTopic.startsWith(prefix) ? kafkaTopic.slice(prefix.length) : undefined;
  }

  /** What is known of it, without asking. */
  peek(topic: string): TopicPlace | undefined {
    return this.#known.get(topic);
  }

  /**
   * The topic as it is known, asked for if it is not.
   *
   * @throws {Failure} NOT_FOUND when there is none; POSITION_MISSING when the one that was there is gone.
   */
  async get(topic: string): Promise<TopicPlace> {
    return this.#known.get(topic) ?? this.refresh(topic);
  }

  /** As {@link get}, asked anew: a leader has changed, for instance. */
  refresh(topic: string): Promise<TopicPlace> {
    let asked = this.#asked.get(topic);
    if (asked === undefined) {
      asked = this.#load(topic).finally(() => this.#asked.delete(topic));
      this.#asked.set(topic, asked);
    }
    return asked;
  }

  /** What Kafka says of a topic now; undefined when there is none. */
  async look(topic: string): Promise<TopicPlace | undefined> {
    const kafkaTopic = this.kafkaName(topic);
    let metadata: Awaited<ReturnType<Cluster["metadata"]>>;
    try {
      metadata = await this.#cluster.metadata([kafkaTopic]);
    } catch (error) {
      if (isUnknown(error)) return undefined;
      throw error;
    }
    const found = metadata.topics.get(kafkaTopic);
    if (found === undefined) return undefined;
    const leaders = found.partitions.map(({ leader }) => leader);
    if (leaders.length < found.partitionsCount || leaders.some((leader) => leader === undefined || leader < 0))
      throw new Failure("STORE_UNAVAILABLE", `topic ${kafkaTopic}: a partition has no leader at the moment`);
    const { foreign } = this.#cluster.settings.topics.get(topic) ?? {};
    const unmapped = (where: string) => this.#unmapped(topic, where);
    return { topic, kafkaTopic, id: found.id, leaders, foreign, unmapped };
  }

  /** Said once for each topic: there may be many of them. */
  #unmapped(topic: string, where: string): void {
    if (this.#warned.has(topic)) return;
    this.#warned.add(topic);
    this.#logger.warn(
      { topic, at: where },
      `topic ${this.kafkaName(topic)} has records that are no CloudEvents, like ${where}: they pass by; say how to read them with kafkaLog({ topics: { ${JSON.stringify(topic)}: { foreign: { type } } } })`,
    );
  }

  /** From now on this is the topic. */
  remember(place: TopicPlace): void {
    this.#known.set(place.topic, place);
  }

  async #load(topic: string): Promise<TopicPlace> {
    const before = this.#known.get(topic);
    const settle = before === undefined ? 0 : goneMs;
    for (let waited = 0; ; waited += 250) {
      const place = await this.look(topic);
      if (place !== undefined && before !== undefined && place.id !== before.id)
        throw new Failure(
          "POSITION_MISSING",
          `topic ${place.kafkaTopic} was deleted and made anew: offsets mean other records now. Nothing was skipped; ` +
            "find out what happened, then forget its consumers and start the app again",
        );
      if (place !== undefined) {
        this.#known.set(topic, place);
        return place;
      }
      if (waited >= settle || this.#cluster.closed) break;
      await this.#cluster.pause(250);
    }
    if (before === undefined) throw new Failure("NOT_FOUND", `there is no topic ${this.kafkaName(topic)}`);
    throw new Failure(
      "POSITION_MISSING",
      `topic ${before.kafkaTopic} was deleted. Nothing was skipped; restore it, or forget its consumers`,
    );
  }
}

function isUnknown(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith("Unknown topic");
}
