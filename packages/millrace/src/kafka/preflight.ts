import { ConfigResourceTypes } from "@platformatic/kafka";
import type { Risk } from "../engine/halves.js";
import { outside, type TopicShape } from "../log/log.js";
import type { Cluster } from "./cluster.js";
import { canDecompress } from "./compression.js";
import type { Directory } from "./directory.js";
import { recordBytesMade, recordBytesMax } from "./sizes.js";

/** A topic as the cluster keeps it. */
interface Kept {
  readonly name: string;
  readonly declared: Omit<TopicShape, "incarnation">;
  readonly replicas: number;
  readonly config: (name: string) => string;
}

/** One kind of risk: whether a topic runs it, and what to say. */
interface Check {
  readonly name: string;
  /** It is about reading, so that it holds for topics of other programs too. */
  readonly reads?: true;
  /** Why the setting breaks a promise, with its value; undefined when it does not. */
  why(kept: Kept): string | undefined;
  mend(kept: Kept): string;
}

const zstd = 4;
const replicasMin = 2;
const alone: Risk = {
  name: "replication-factor",
  what:
    "the cluster has one broker: topics are made with one copy, and with its disk acknowledged events are lost. " +
    "Mend it: add brokers, two at least, before the first start; later, kafka-reassign-partitions.sh gives topics more copies",
};

const checks: readonly Check[] = [
  {
    name: "replication-factor",
    why: ({ replicas }) =>
      replicas >= replicasMin
        ? undefined
        : `its replication factor is ${replicas}: with the disk of one broker, acknowledged events are lost`,
    mend: ({ name }) =>
      `give it three copies: kafka-reassign-partitions.sh --bootstrap-server BROKER --execute --reassignment-json-file with three replicas for each partition of ${name}`,
  },
  {
    name: "min-insync-replicas",
    why: ({ replicas, config }) =>
      Number(config("min.insync.replicas")) >= Math.min(replicasMin, replicas)
        ? undefined
        : `min.insync.replicas is ${config("min.insync.replicas")}: acks=all is then content with one copy, and an acknowledged event is lost with it`,
    mend: alter("min.insync.replicas", () => "2"),
  },
  {
    name: "unclean-leader-election",
    why: ({ config }) =>
      config("unclean.leader.election.enable") === "true"
        ? "unclean.leader.election.enable is true: a replica that lacks acknowledged events may become the leader, and they are gone"
        : undefined,
    mend: alter("unclean.leader.election.enable", () => "false"),
  },
  {
    name: "cleanup-policy",
    why: ({ config }) =>
      config("cleanup.policy").includes("compact")
        ? `cleanup.policy is ${config("cleanup.policy")}: of each key only the last event stays, consumers that are behind miss the others`
        : undefined,
    mend: alter("cleanup.policy", () => "delete"),
  },
  {
    name: "retention",
    why: ({ declared, config }) => shorter(declared.retentionMs, config("retention.ms")),
    mend: alter("retention.ms", ({ declared }) => String(declared.retentionMs ?? -1)),
  },
  {
    name: "retention-bytes",
    why: ({ config }) =>
      Number(config("retention.bytes")) >= 0
        ? `retention.bytes is ${config("retention.bytes")}: events go by size, before their retention is over and whether or not they were read`
        : undefined,
    mend: alter("retention.bytes", () => "-1"),
  },
  {
    name: "timestamp-type",
    why: ({ config }) =>
      config("message.timestamp.type") === "LogAppendTime"
        ? undefined
        : `message.timestamp.type is ${config("message.timestamp.type")}: when an event reached the log is then the writer's word, and copies that come too late are not told from others`,
    mend: alter("message.timestamp.type", () => "LogAppendTime"),
  },
  {
    name: "max-message-bytes",
    why: ({ config }) =>
      Number(config("max.message.bytes")) >= recordBytesMax
        ? undefined
        : `max.message.bytes is ${config("max.message.bytes")}: an event that may be published, and does not fit, waits in its outbox for good, and holds up all behind it`,
    mend: alter("max.message.bytes", () => String(recordBytesMade)),
  },
  {
    name: "compression",
    reads: true,
    why: ({ config }) =>
      config("compression.type") === "zstd" && !canDecompress(zstd)
        ? `compression.type is zstd: Node ${process.versions.node} cannot unpack it, consumers stop`
        : undefined,
    mend: alter("compression.type", () => "lz4"),
  },
];

/** What in the settings of declared topics would break a promise. */
export async function preflight(
  cluster: Cluster,
  directory: Directory,
  declared: readonly Omit<TopicShape, "incarnation">[],
): Promise<readonly Risk[]> {
  const kept = await cluster.patiently("looking at topics' settings", () => keptOf(cluster, directory, declared));
  const { brokers } = await cluster.patiently("looking at the cluster", () => cluster.metadata([]));
  if (kept.length === 0 && brokers.size < replicasMin) return [alone];
  return checks.flatMap((check) => {
    const looked = kept.filter(({ declared: { owner } }) => check.reads === true || owner !== outside);
    const found = looked.flatMap((topic) => {
      const why = check.why(topic);
      return why === undefined ? [] : [{ topic, why }];
    });
    const [first] = found;
    if (first === undefined) return [];
    const others = found.slice(1).map(({ topic }) => topic.name);
    const also = others.length === 0 ? "" : ` (so it is of ${others.join(", ")})`;
    return [
      { name: check.name, what: `topic ${first.topic.name}: ${first.why}${also}. Mend it: ${check.mend(first.topic)}` },
    ];
  });
}

async function keptOf(
  cluster: Cluster,
  directory: Directory,
  declared: readonly Omit<TopicShape, "incarnation">[],
): Promise<readonly Kept[]> {
  const made = new Set(await cluster.administer((admin) => admin.listTopics({ includeInternals: false })));
  const there = declared.filter(({ name }) => made.has(directory.kafkaName(name)));
  if (there.length === 0) return [];
  const names = there.map(({ name }) => directory.kafkaName(name));
  const metadata = await cluster.metadata(names);
  const resources = names.map((resourceName) => ({
    resourceType: ConfigResourceTypes.TOPIC,
    resourceName,
    configurationKeys: null,
  }));
  const described = await cluster.administer((admin) => admin.describeConfigs({ resources }));
  return there.map((topic, index) => {
    const name = names[index] as string;
    const configs = described.find(({ resourceName }) => resourceName === name)?.configs ?? [];
    const values = new Map(configs.map((config) => [config.name, config.value ?? ""]));
    const replicas = metadata.topics.get(name)?.partitions.map((partition) => partition.replicas.length) ?? [];
    return { name, declared: topic, replicas: Math.min(...replicas), config: (key: string) => values.get(key) ?? "" };
  });
}

function alter(setting: string, value: (kept: Kept) => string): (kept: Kept) => string {
  return (kept) =>
    `kafka-configs.sh --bootstrap-server BROKER --alter --entity-type topics --entity-name ${kept.name} --add-config ${setting}=${value(kept)}`;
}

function shorter(declaredMs: number | undefined, given: string): string | undefined {
  const keptMs = Number(given);
  if (keptMs < 0 || (declaredMs !== undefined && keptMs >= declaredMs)) return undefined;
  return `retention.ms is ${given}, its contract says ${declaredMs ?? "for ever"}: events go before their time`;
}
