import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { draft } from "../testing/conformance/log-drafts.js";
import { readToEnd, TrialKafka } from "../testing/trial-kafka.js";
import { trialServers } from "../testing/trial-services.js";

const servers = await trialServers("kafka/1");
let kafka: TrialKafka;
beforeEach(() => {
  kafka = new TrialKafka(servers?.address ?? "");
});
afterEach(() => kafka.close());

const message = (id: string, key = id) => {
  const headers = Object.entries({ ce_id: id, ce_source: "elsewhere", ce_type: "order.placed" });
  return {
    ...{ topic: kafka.name("orders"), partition: 0, key: Buffer.from(key), value: Buffer.from("{}") },
    headers: new Map(headers.map(([name, value]) => [Buffer.from(name), Buffer.from(value)])),
  };
};
const all = { topic: "orders", from: [0, -1, -1], recordsMax: 500, bytesMax: 1 << 20 };

if (servers === undefined) console.info("skipped: no Kafka");
describe.skipIf(servers === undefined)("offsets without a record", () => {
  it("of transactions, and of what they took back, are passed over to the true end", async () => {
    const log = await kafka.logOfOrders();
    const producer = kafka.producer({ idempotent: true, transactionalId: kafka.name("writer") });
    for (const [id, kept] of [
      ["a", true],
      ["b", false],
      ["c", true],
      ["d", false],
    ] as const) {
      const transaction = await producer.beginTransaction({});
      await transaction.send({ messages: [message(id), message(`${id}2`)] });
      await (kept ? transaction.commit() : transaction.abort());
    }
    // Two records and a marker each.
    await vi.waitFor(async () => expect((await log.ends("orders"))[0]).toBe(12), 15_000);
    const batch = await log.read(all);
    expect(batch.records.map(({ id, offset }) => [id, offset])).toEqual([
      ["a", 0],
      ["a2", 1],
      ["c", 6],
      ["c2", 7],
    ]);
    expect([batch.next[0], batch.atEnd]).toEqual([12, true]);
    expect(await log.record({ topic: "orders", partition: 0, offset: 3 })).toBeUndefined();
    const one = await log.read({ ...all, from: [2, -1, -1], recordsMax: 1 });
    expect([one.records.map(({ id }) => id), one.next[0]]).toEqual([["c"], 7]);
  });

  it("in an open transaction are not read, nor what stands behind them", async () => {
    const log = await kafka.logOfOrders();
    const producer = kafka.producer({ idempotent: true, transactionalId: kafka.name("writer") });
    const transaction = await producer.beginTransaction({});
    await transaction.send({ messages: [message("open")] });
    const behind = draft(0);
    await log.append([behind]);
    const before = await log.read(all);
    expect([before.records, before.next[0]]).toEqual([[], 0]);
    await transaction.commit();
    await vi.waitFor(async () => {
      expect((await readToEnd(log)).map(({ id }) => id)).toEqual(["open", behind.id]);
    }, 15_000);
  });

  it("that compaction has emptied are passed over", { timeout: 60_000 }, async () => {
    await kafka.admin().createTopics({
      topics: [kafka.name("orders")],
      partitions: 3,
      replicas: 1,
      configs: Object.entries({
        ...{ "cleanup.policy": "compact", "segment.ms": "100", "min.cleanable.dirty.ratio": "0.01" },
        ...{ "max.compaction.lag.ms": "200", "delete.retention.ms": "0" },
      }).map(([name, value]) => ({ name, value })),
    });
    const log = await kafka.logOfOrders();
    const producer = kafka.producer();
    const send = (id: string, key: string) => producer.send({ acks: -1, messages: [message(id, key)] });
    for (let n = 0; n < 6; n += 1) await send(`old-${n}`, "k");
    await send("kept", "other");
    const ids = await vi.waitFor(
      async () => {
        // A segment is closed, and then cleaned, when something comes after its time.
        await send("latest", "k");
        const fresh = await kafka.logOfOrders();
        const records = await readToEnd(fresh, [0, -1, -1]);
        await fresh.close();
        expect(records.some(({ id }) => id.startsWith("old-"))).toBe(false);
        return records.map(({ id }) => id);
      },
      { timeout: 50_000, interval: 500 },
    );
    expect(ids).toContain("kept");
    const end = (await log.ends("orders"))[0] as number;
    expect((await readToEnd(log, [0, -1, -1])).length).toBeLessThan(end);
  });
});
