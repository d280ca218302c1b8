import { ConfigResourceTypes } from "@platformatic/kafka";
import type { LogTopic } from "../engine/halves.js";
import { Failure } from "../failure/failure.js";
import { outside, type TopicShape } from "../log/log.js";
import type { Cluster } from "./cluster.js";
import type { Directory, TopicPlace } from "./directory.js";
import { recordBytesMade } from "./sizes.js";
import { hasCode } from "./trouble.js";

const alreadyExists = 36;
const replicasUsual = 3;

/** Makes topics, and checks those that are there. */
export class Topics {
  readonly #cluster: Cluster;
  readonly #directory: Directory;

  constructor(cluster: Cluster, directory: Directory) {
    this.#cluster = cluster;
    this.#directory = directory;
  }

  ensure(topic: Omit<TopicShape, "incarnation">): Promise<LogTopic> {
    return this.#cluster.patiently(`topic ${topic.name}`, async () => {
      const found = await this.#directory.look(topic.name);
      const place = found ?? (await this.#create(topic));
      if (place.leaders.length !== topic.partitions) throw changed(topic, place);
      if (found !== undefined && topic.owner !== outside) await this.#retain(topic, place);
      this.#directory.remember(place);
      return { name: topic.name, partitions: topic.partitions, incarnation: place.id };
    });
  }

  /** Those of this log's names; in a shared cluster, other programs' too, unless there is a prefix. */
  list(): Promise<readonly LogTopic[]> {
    return this.#cluster.patiently("listing topics", async () => {
      const names = await this.#cluster.administer((admin) => admin.listTopics({ includeInternals: false }));
      const found: LogTopic[] = [];
      for (const kafkaTopic of [...names].sort()) {
        const name = this.#directory.nameOf(kafkaTopic);
        const place = name === undefined ? undefined : await this.#directory.look(name);
        if (place === undefined) continue;
        found.push({ name: place.topic, partitions: place.leaders.length, incarnation: place.id });
      }
      return found;
    });
  }

  async #create(topic: Omit<TopicShape, "incarnation">): Promise<TopicPlace> {
    const { brokers } = await this.#cluster.metadata([]);
    const { replicationFactor = Math.min(replicasUsual, brokers.size), minInsyncReplicas } = this.#cluster.settings;
    const minInsync = Math.min(minInsyncReplicas ?? Math.max(1, replicationFactor - 1), replicationFactor);
    const configs = Object.entries({
      ...retention(topic),
      "cleanup.policy": "delete",
      // When a record reached the log is the log's to say, for what ages by it.
      "message.timestamp.type": "LogAppendTime",
      "min.insync.replicas": String(minInsync),
      "max.message.bytes": String(recordBytesMade),
      "unclean.leader.election.enable": "false",
    }).map(([name, value]) => ({ name, value }));
    const name = this.#directory.kafkaName(topic.name);
    try {
      await this.#cluster.administer((admin) =>
        admin.createTopics({ topics: [name], partitions: topic.partitions, replicas: replicationFactor, configs }),
      );
    } catch (error) {
      // Another process was first.
      if (!hasCode(error, alreadyExists)) throw error;
    }
    const place = await this.#directory.look(topic.name);
    if (place !== undefined) return place;
    throw new Failure("STORE_UNAVAILABLE", `topic ${name} was made, and the broker does not know it yet`);
  }

  /** Retention follows the declaration of the topic's owner. */
  async #retain(topic: Omit<TopicShape, "incarnation">, { kafkaTopic }: TopicPlace): Promise<void> {
    const resource = { resourceType: ConfigResourceTypes.TOPIC, resourceName: kafkaTopic };
    const wanted = retention(topic)["retention.ms"];
    await this.#cluster.administer(async (admin) => {
      const [described] = await admin.describeConfigs({
        resources: [{ ...resource, configurationKeys: ["retention.ms"] }],
      });
      if (described?.configs.find(({ name }) => name === "retention.ms")?.value === wanted) return;
      const configs = [{ name: "retention.ms", configOperation: 0, value: wanted }] as const;
      await admin.incrementalAlterConfigs({ resources: [{ ...resource, configs: [...configs] }] });
    });
  }
}

function retention({ retentionMs }: Pick<TopicShape, "retentionMs">): { readonly "retention.ms": string } {
  return { "retention.ms": retentionMs === undefined ? "-1" : String(retentionMs) };
}

function changed(topic: Omit<TopicShape, "incarnation">, { kafkaTopic, leaders }: TopicPlace): Failure {
  return new Failure(
    "PARTITIONS_CHANGED",
    `topic ${kafkaTopic} has ${leaders.length} partitions, its contract says ${topic.partitions}: keys would change their ` +
      "partition and lose their order. Put the count back in the contract, or move to a new topic",
  );
}
