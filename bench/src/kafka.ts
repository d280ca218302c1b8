import { Admin, Consumer, Producer } from "@platformatic/kafka";
import { kafkaLog } from "millrace/kafka";
import type { Benchmark, Round } from "./benchmark.js";
import { figure } from "./figure.js";
import { now, rate } from "./load.js";
import { handlesOn, units } from "./on-postgres.js";
import { order } from "./order.js";
import { brokers, withServers } from "./servers.js";

const partitions = 12;
const batch = 1_000;
const inFlightMax = 4;
const counts = (tiny: boolean) => (tiny ? 2_000 : 100_000);
const silent = { debug() {}, info() {}, warn() {}, error() {}, child: () => silent };
const context = {
  clock: {
    now: () => Date.now(),
    monotonic: () => performance.now(),
    after(ms: number, run: () => void) {
      const timer = setTimeout(run, ms);
      return () => clearTimeout(timer);
    },
  },
  random: { next: Math.random, fill: (bytes: Uint8Array) => void crypto.getRandomValues(bytes) },
  logger: silent,
};

/** The orders as the log takes them: what a relay would hand over. */
function records(count: number) {
  return Array.from({ length: count }, (_, n) => ({
    ...{ topic: "orders", partition: n % partitions, source: "shop", type: "order.placed", version: 1 },
    ...{
      id: `018f0000-0000-7000-8000-${String(n).padStart(12, "0")}`,
      key: order(n).customerId,
      time: 1_736_000_000_000,
    },
    ...{ correlationId: undefined, causationId: undefined, hops: 0, headers: undefined, named: false, offset: -1 },
    data: JSON.stringify(order(n)),
  }));
}

/** Batches of the log's records, appended and then read to the end, each decoded. */
async function log({ tiny, number }: Round) {
  const prefix = `log${number}-${process.pid}.`;
  const opened = await kafkaLog({ client: { bootstrapBrokers: brokers() }, prefix }).open(context);
  await opened.ensureTopic({ name: "orders", partitions, owner: "shop", key: "customerId", retentionMs: undefined });
  const all = records(counts(tiny));
  const appending = now();
  const waiting: Promise<void>[] = [];
  for (let at = 0; at < all.length; at += batch) {
    waiting.push(opened.append(all.slice(at, at + batch)));
    if (waiting.length >= inFlightMax) await waiting.shift();
  }
  await Promise.all(waiting);
  const appended = rate(appending, all.length).perSecond;
  const reading = now();
  let from: readonly number[] = new Array(partitions).fill(0);
  for (let read = 0; read < all.length; ) {
    const next = await opened.read({ topic: "orders", from, recordsMax: 512, bytesMax: 4 << 20 });
    read += next.records.length;
    from = next.next;
  }
  const read = rate(reading, all.length).perSecond;
  await opened.close();
  return { appended, read };
}

/** The client library by itself: the same bytes, its own encoding, its own stream; nothing is decoded. */
async function raw({ tiny, number }: Round) {
  const client = { clientId: "raw", bootstrapBrokers: brokers() };
  const topic = `raw${number}-${process.pid}`;
  const admin = new Admin(client);
  await admin.createTopics({ topics: [topic], partitions, replicas: 1 });
  await admin.close();
  const value = Buffer.from(JSON.stringify(order(0)));
  const count = counts(tiny);
  const producer = new Producer({ ...client, idempotent: true });
  const producing = now();
  for (let at = 0; at < count; at += batch) {
    const messages = Array.from({ length: batch }, (_, n) => ({
      ...{ topic, partition: (at + n) % partitions, key: Buffer.from(order(at + n).customerId), value },
    }));
    await producer.send({ messages, acks: -1 });
  }
  const produced = rate(producing, count).perSecond;
  await producer.close();
  const consumer = new Consumer({ ...client, groupId: topic });
  const consuming = now();
  const stream = await consumer.consume({ topics: [topic], mode: "earliest", autocommit: false });
  let consumed = 0;
  for await (const _ of stream) {
    consumed += 1;
    if (consumed === count) break;
  }
  const read = rate(consuming, count).perSecond;
  await consumer.close(true);
  return { produced, read };
}

/** Kafka is the log, PostgreSQL the store: orders are read, handled, and what that publishes is sent. */
const handles = (round: Round) =>
  handlesOn(round, () =>
    kafkaLog({ client: { bootstrapBrokers: brokers() }, prefix: `handles${round.number}-${process.pid}.` }),
  );

/** The whole engine on both servers, and the log half by itself, beside the client library and plain statements. */
export const kafkaBenchmark: Benchmark = {
  trials: { log, raw, handles, units },
  run: (stage) =>
    withServers(["postgres", "kafka"], async () => {
      const { log: ours, raw: client, ...both } = await stage.alternate({ log, raw, handles, units }, { rounds: 3 });
      return [
        figure({
          ...{ name: "kafka", unit: "events/s", value: both.handles.perSecond },
          ...{ ceiling: Math.min(client.read, both.units.perSecond), goal: { atLeast: 8_000, ratioAtLeast: 0.6 } },
        }),
        figure({ name: "kafka.cpu", unit: "ms/event", value: both.handles.cpuMs }),
        figure({
          ...{ name: "kafka.append", unit: "records/s" },
          ...{ value: ours.appended, ceiling: client.produced, goal: { ratioAtLeast: 0.6 } },
        }),
        figure({
          ...{ name: "kafka.read", unit: "records/s" },
          ...{ value: ours.read, ceiling: client.read, goal: { ratioAtLeast: 0.6 } },
        }),
      ];
    }),
};
