import type { BaseOptions } from "@platformatic/kafka";
import { Failure } from "../failure/failure.js";
import { type Duration, durationMs } from "../runtime/duration.js";
import { checkOptions, type OptionNames } from "../runtime/options.js";
import { type Compression, compressions } from "./compression.js";
import { checkMapping, type ForeignMapping } from "./foreign.js";

/**
 * How to reach the cluster, as the classes of `@platformatic/kafka` take it: `bootstrapBrokers`, `clientId`, `tls`, `sasl`
 * and time limits. Retries are Millrace's own.
 */
export type KafkaClient = Omit<BaseOptions, "clientId" | "retries" | "retryDelay" | "autocreateTopics" | "strict"> & {
  readonly clientId?: string;
};

/** What is special about one topic. */
export interface KafkaTopicOptions {
  /** What Kafka calls it, where that is not its name in the contracts. No prefix is put before it. */
  readonly name?: string;
  /** How records of other programs are read that are no CloudEvents. */
  readonly foreign?: ForeignMapping;
}

/** Where the log is, and how it is used. */
export interface KafkaLogOptions {
  readonly client: KafkaClient;
  /** Put before the names of topics and of consumer groups, so that several systems share a cluster: `staging.`. */
  readonly prefix?: string;
  /** By their names in the contracts. */
  readonly topics?: Readonly<Record<string, KafkaTopicOptions>>;
  /** Copies of each record, for topics that are made; by default three, or as many as there are brokers. */
  readonly replicationFactor?: number;
  /** Copies that must be written before an append is acknowledged, for topics that are made; by default all but one. */
  readonly minInsyncReplicas?: number;
  /** How batches are packed; by default not at all. */
  readonly compression?: Compression;
  /** How long an append, a read or a question is tried again while brokers cannot be reached; by default "30s". */
  readonly patience?: Duration;
  /** Most bytes of records that are kept decoded for readers at the ends of topics; by default 32 MiB. */
  readonly bufferBytesMax?: number;
  /** How often offsets are written for other tools; by default "5s", "0s" for never. */
  readonly offsetsEvery?: Duration;
}

/** {@link KafkaLogOptions}, checked and complete. */
export interface KafkaSettings {
  readonly client: BaseOptions;
  readonly prefix: string;
  readonly topics: ReadonlyMap<string, KafkaTopicOptions>;
  readonly replicationFactor: number | undefined;
  readonly minInsyncReplicas: number | undefined;
  readonly compression: Compression;
  readonly patienceMs: number;
  readonly bufferBytesMax: number;
  readonly offsetsEveryMs: number;
}

const names: OptionNames<KafkaLogOptions> = {
  client: true,
  prefix: true,
  topics: true,
  replicationFactor: true,
  minInsyncReplicas: true,
  compression: true,
  patience: true,
  bufferBytesMax: true,
  offsetsEvery: true,
};
const where = "kafkaLog";
const kafkaName = /^[a-zA-Z0-9._-]{1,249}$/;
/** A request that a broker does not answer for so long is given up: a stopped broker keeps its connections. */
const requestMsMax = 10_000;

/** @throws {Failure} OPTION_INVALID naming the option. */
export function settingsOf(options: KafkaLogOptions): KafkaSettings {
  checkOptions(options, names, { where });
  const { client, prefix = "", topics = {}, compression = "none", bufferBytesMax = 32 << 20 } = options;
  if (!Array.isArray(client?.bootstrapBrokers) || client.bootstrapBrokers.length === 0)
    throw invalid("client.bootstrapBrokers", 'is missing; give a list like ["kafka-1:9092"]');
  if (prefix !== "" && !kafkaName.test(prefix))
    throw invalid("prefix", "holds characters that no topic's name may have");
  if (!compressions.includes(compression)) throw invalid("compression", `is one of ${compressions.join(", ")}`);
  for (const [topic, { name, foreign, ...rest }] of Object.entries(topics)) {
    checkOptions(rest, {}, { where: `${where}, topics.${topic}` });
    if (name !== undefined && !kafkaName.test(name)) throw invalid(`topics.${topic}.name`, "is not a name of a topic");
    if (foreign !== undefined) checkMapping(foreign, `${where}, topics.${topic}.foreign`);
  }
  return {
    client: { requestTimeout: requestMsMax, ...client, clientId: client.clientId ?? "millrace", retries: 0 },
    prefix,
    topics: new Map(Object.entries(topics)),
    replicationFactor: positive(options.replicationFactor, "replicationFactor"),
    minInsyncReplicas: positive(options.minInsyncReplicas, "minInsyncReplicas"),
    compression,
    patienceMs: durationMs(options.patience ?? "30s", `${where}, patience`),
    bufferBytesMax: positive(bufferBytesMax, "bufferBytesMax") as number,
    offsetsEveryMs: durationMs(options.offsetsEvery ?? "5s", `${where}, offsetsEvery`),
  };
}

function positive(value: number | undefined, option: string): number | undefined {
  if (value === undefined || (Number.isSafeInteger(value) && value > 0)) return value;
  throw invalid(option, `is ${String(value)}, which is not a whole number from 1`);
}

function invalid(option: string, what: string): Failure {
  return new Failure("OPTION_INVALID", `${where}: ${option} ${what}`, { details: { option } });
}
