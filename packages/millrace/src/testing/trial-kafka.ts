import { randomBytes } from "node:crypto";
import { Admin, Consumer, Producer } from "@platformatic/kafka";
import type { OpenLog } from "../engine/halves.js";
import { kafkaLog } from "../kafka/kafka.js";
import type { KafkaLogOptions } from "../kafka/options.js";
import type { Batch, LogRecord, NewRecord } from "../log/log.js";
import { type Clock, systemClock } from "../runtime/clock.js";
import type { Logger } from "../runtime/logger.js";
import { silentLogger } from "../runtime/logger.js";
import { systemRandom } from "../runtime/random.js";
import { checkedShape } from "./conformance/log-drafts.js";

/** What a test may want otherwise. */
export interface TrialLogOptions extends Partial<Omit<KafkaLogOptions, "client">> {
  readonly client?: Partial<KafkaLogOptions["client"]>;
  readonly clock?: Clock;
  readonly logger?: Logger;
}

/** Logs on one Kafka, with topics that nobody else uses, and clients of other programs beside them. */
export class TrialKafka {
  readonly brokers: readonly string[];
  readonly prefix = `t${randomBytes(5).toString("hex")}.`;
  readonly #open: { close(): Promise<unknown> }[] = [];

  constructor(address: string) {
    this.brokers = address.split(",");
  }

  /** As Kafka calls a topic. */
  name(topic: string): string {
    return this.prefix + topic;
  }

  async log({
    client,
    clock = systemClock,
    logger = silentLogger,
    ...options
  }: TrialLogOptions = {}): Promise<OpenLog> {
    const adapter = kafkaLog({
      prefix: this.prefix,
      ...options,
      client: { bootstrapBrokers: [...this.brokers], ...client },
    });
    const log = await adapter.open({ clock, random: systemRandom, logger });
    this.#open.push(log);
    return log;
  }

  /** With the topic "orders" of three partitions. */
  async logOfOrders(options?: TrialLogOptions): Promise<OpenLog> {
    const log = await this.log(options);
    await log.ensureTopic(checkedShape);
    return log;
  }

  admin(): Admin {
    return this.#kept(new Admin(this.#settings()));
  }

  producer(more: { readonly idempotent?: boolean; readonly transactionalId?: string } = {}) {
    return this.#kept(new Producer({ ...this.#settings(), ...more }));
  }

  consumer(): Consumer {
    return this.#kept(new Consumer({ ...this.#settings(), groupId: "another-program" }));
  }

  async close(): Promise<void> {
    for (const one of this.#open.splice(0)) await one.close();
  }

  #settings() {
    return { clientId: "another-program", bootstrapBrokers: [...this.brokers] };
  }

  #kept<T extends { close(): Promise<unknown> }>(client: T): T {
    this.#open.push(client);
    return client;
  }
}

const everything = { topic: checkedShape.name, recordsMax: 500, bytesMax: 1 << 20 };

/** All that a topic holds from these offsets on. */
export async function readToEnd(log: OpenLog, from: readonly number[] = [0, 0, 0]): Promise<readonly LogRecord[]> {
  const records: LogRecord[] = [];
  for (let next = from; ; ) {
    const batch: Batch = await log.read({ ...everything, from: next });
    records.push(...batch.records);
    next = batch.next;
    if (batch.atEnd) return records;
  }
}

/** The next batch that holds something, waiting for what is appended. */
export async function nextRecords(log: OpenLog, from: readonly number[]): Promise<Batch> {
  for (let next = from; ; ) {
    const { grew, stop } = whenGrown(log);
    const batch = await log.read({ ...everything, from: next });
    if (batch.records.length > 0) {
      stop();
      return batch;
    }
    next = batch.next;
    if (batch.atEnd) await grew;
    stop();
  }
}

function whenGrown(log: OpenLog): { readonly grew: Promise<void>; stop(): void } {
  let stop = () => {};
  const grew = new Promise<void>((resolve) => {
    stop = log.onAppended(() => resolve());
  });
  return { grew, stop };
}

/** Keys of records by partition, in the order in which they stand. */
export function idsByPartition(records: readonly (LogRecord | NewRecord)[]): readonly (readonly string[])[] {
  return [0, 1, 2].map((partition) => records.filter((one) => one.partition === partition).map(({ id }) => id));
}
