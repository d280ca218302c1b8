import { subscribe } from "node:diagnostics_channel";
import { Admin, Producer } from "@platformatic/kafka";
import { engine, type LogAdapter, millrace, silentLogger } from "millrace";
import { kafkaLog } from "millrace/kafka";
import { postgresStore } from "millrace/postgres";
import type { Benchmark, Round } from "./benchmark.js";
import { figure } from "./figure.js";
import { now, openLoop, rate } from "./load.js";
import { risks } from "./on-postgres.js";
import { order, orders } from "./order.js";
import { owner } from "./orders-app.js";
import { brokers, roundDatabase, withServers } from "./servers.js";
import { percentile } from "./statistics.js";

const together = 500;
const page = 1_000;
const backlogOf = (tiny: boolean) => (tiny ? 1_000 : 100_000);
const offered = 2_000;

/** What the relay tells of each page. */
interface Relayed {
  readonly records: number;
  readonly lagMs: number;
}

/** A log that takes nothing until it is opened. */
function gated(adapter: LogAdapter): { readonly adapter: LogAdapter; open(): void } {
  let open = () => {};
  const gate = new Promise<void>((resolve) => {
    open = resolve;
  });
  const held: LogAdapter = {
    name: adapter.name,
    async open(context) {
      const log = await adapter.open(context);
      const append: typeof log.append = async (records) => {
        await gate;
        await log.append(records);
      };
      return { ...log, append };
    },
  };
  return { adapter: held, open };
}

/** A backlog of the outbox, sent to Kafka; then, at 2,000/s, how long from the commit to Kafka's acknowledgement. */
async function relays({ dir, tiny, number }: Round) {
  const database = await roundDatabase();
  const kafka = gated(kafkaLog({ client: { bootstrapBrokers: brokers() }, prefix: `relay${number}-${process.pid}.` }));
  const app = millrace({
    services: [owner],
    engine: engine({ log: kafka.adapter, store: postgresStore({ pool: database.pool }), dir, acceptRisks: risks }),
    logger: silentLogger,
    signals: false,
    admin: false,
  });
  await app.start();
  const total = backlogOf(tiny);
  for (let n = 0; n < total; n += together)
    await app.publish(Array.from({ length: together }, (_, index) => orders.placed(order(n + index))));
  let sent = 0;
  const lags: number[] = [];
  let arrived = () => {};
  subscribe("millrace:relayed", (fields) => {
    const { records, lagMs } = fields as Relayed;
    sent += records;
    // The oldest of a page stands for all of it: none has waited longer.
    for (let n = 0; n < records; n += 1) lags.push(lagMs);
    arrived();
  });
  const allOf = (count: number) =>
    new Promise<void>((resolve) => {
      arrived = () => {
        if (sent >= count) resolve();
      };
      arrived();
    });
  const begun = now();
  kafka.open();
  await allOf(total);
  const { perSecond, cpuMs } = rate(begun, total);
  lags.length = 0;
  const count = tiny ? 400 : offered * 10;
  await openLoop({ perSecond: offered, total: count }, (n) => app.publish(orders.placed(order(total + n))));
  await allOf(total + count);
  await app.stop();
  await database.drop();
  return { perSecond, cpuMs, p50: percentile(lags, 0.5), p99: percentile(lags, 0.99) };
}

/** The client library by itself: as many events, in batches of a page's size, one after the other. */
async function raw({ tiny, number }: Round) {
  const client = { clientId: "raw", bootstrapBrokers: brokers() };
  const topic = `raw${number}-${process.pid}`;
  const admin = new Admin(client);
  await admin.createTopics({ topics: [topic], partitions: 12, replicas: 1 });
  await admin.close();
  const producer = new Producer({ ...client, idempotent: true });
  const total = backlogOf(tiny);
  const begun = now();
  for (let at = 0; at < total; at += page) {
    const messages = Array.from({ length: page }, (_, n) => {
      const event = order(at + n);
      return {
        topic,
        partition: n % 12,
        key: Buffer.from(event.customerId),
        value: Buffer.from(JSON.stringify(event)),
      };
    });
    await producer.send({ messages, acks: -1 });
  }
  const { perSecond } = rate(begun, total);
  await producer.close();
  return { perSecond };
}

/** Events from the outbox in PostgreSQL to Kafka. */
export const relayBenchmark: Benchmark = {
  trials: { relays, raw },
  run: (stage) =>
    withServers(["postgres", "kafka"], async () => {
      const { relays: ours, raw: plain } = await stage.alternate({ raw, relays }, { rounds: 3 });
      return [
        figure({
          ...{ name: "relay", unit: "events/s", value: ours.perSecond, ceiling: plain.perSecond },
          goal: { atLeast: 20_000 },
        }),
        figure({ name: "relay.cpu", unit: "ms/event", value: ours.cpuMs }),
        figure({ name: "relay.p50", unit: "ms", value: ours.p50 }),
        figure({ name: "relay.p99", unit: "ms", value: ours.p99, goal: { atMost: 50 } }),
      ];
    }),
};
