import { afterEach, describe, expect, it, vi } from "vitest";
import type { OpenLog } from "../engine/halves.js";
import type { Batch, LogRecord } from "../log/log.js";
import { checkedShape, draft } from "../testing/conformance/log-drafts.js";
import { idsByPartition, nextRecords, readToEnd, TrialKafka } from "../testing/trial-kafka.js";
import { trialServers } from "../testing/trial-services.js";

const servers = await trialServers("kafka/1");
const kafkas: TrialKafka[] = [];
const open = () => {
  const kafka = new TrialKafka(servers?.address ?? "");
  kafkas.push(kafka);
  return kafka;
};
afterEach(async () => {
  for (const kafka of kafkas.splice(0)) await kafka.close();
});

const all = { topic: "orders", recordsMax: 500, bytesMax: 1 << 20 };
const read = (log: OpenLog, from: readonly number[]) => log.read({ ...all, from });

if (servers === undefined) console.info("skipped: no Kafka");
describe.skipIf(servers === undefined)("the ends of topics", () => {
  it("come to readers without being asked for: they are told, and read from memory at once", async () => {
    const kafka = open();
    const [log, elsewhere] = [await kafka.logOfOrders(), await kafka.logOfOrders()];
    const { next } = await read(log, [0, 0, 0]);
    const told: string[][] = [];
    log.onAppended((topics) => void told.push([...topics]));
    const drafts = [draft(0), draft(2), draft(0)];
    await elsewhere.append(drafts);
    await vi.waitFor(() => expect(told.flat()).toContain("orders"), 15_000);
    const seen: string[] = [];
    await vi.waitFor(() => {
      const batch = read(log, next);
      expect(batch).not.toBeInstanceOf(Promise);
      expect((batch as Batch).records).toHaveLength(3);
      seen.push(...(batch as Batch).records.map(({ id }) => id));
    }, 15_000);
    expect(seen.sort()).toEqual(drafts.map(({ id }) => id).sort());
  });

  it("are not ends any more for whoever has appended, before the append is acknowledged", async () => {
    const log = await open().logOfOrders();
    const { next, atEnd } = await read(log, [0, 0, 0]);
    expect(atEnd).toBe(true);
    let told = false;
    log.onAppended(() => {
      told = true;
    });
    const one = draft(1);
    await log.append([one]);
    expect(told).toBe(true);
    expect((await read(log, next)).records.map(({ id }) => id)).toEqual([one.id]);
  });

  it("give each reader data of its own, which it may change", async () => {
    const log = await open().logOfOrders();
    const one = draft(0, { data: '{"n":{"m":1}}' });
    await log.append([one]);
    const [first] = (await read(log, [0, 0, 0])).records;
    ((first as LogRecord).data as { n: { m: number } }).n.m = 2;
    const [second] = (await read(log, [0, 0, 0])).records;
    expect(second?.data).toEqual({ n: { m: 1 } });
    expect((await log.record(one))?.data).toEqual({ n: { m: 1 } });
  });

  it("are followed again when more came than memory holds, and nothing is skipped", async () => {
    const kafka = open();
    const log = await kafka.logOfOrders({ bufferBytesMax: 20_000 });
    const elsewhere = await kafka.logOfOrders();
    const { next } = await read(log, [0, 0, 0]);
    const drafts = Array.from({ length: 600 }, (_, n) => draft(n % 3, { data: JSON.stringify("x".repeat(400)) }));
    for (let at = 0; at < drafts.length; at += 50) await elsewhere.append(drafts.slice(at, at + 50));
    const records = [];
    let from = next;
    while (records.length < drafts.length) {
      const batch = await nextRecords(log, from);
      records.push(...batch.records);
      from = batch.next;
    }
    expect(idsByPartition(records)).toEqual(idsByPartition(drafts));
    expect((await read(log, from)).atEnd).toBe(true);
    const last = draft(0);
    await elsewhere.append([last]);
    expect((await nextRecords(log, from)).records.map(({ id }) => id)).toEqual([last.id]);
  });

  it("are those of the topic's own incarnation: one made anew is not read on", async () => {
    const kafka = open();
    const log = await kafka.logOfOrders();
    await log.append([draft(0), draft(0)]);
    const { next } = await read(log, [0, 0, 0]);
    const admin = kafka.admin();
    await admin.deleteTopics({ topics: [kafka.name("orders")] });
    const again = await kafka.log();
    await vi.waitFor(async () => again.ensureTopic(checkedShape), 5_000);
    await again.append([draft(0), draft(0), draft(0)]);
    await vi.waitFor(async () => {
      await expect(async () => read(log, next)).rejects.toMatchObject({ code: "POSITION_MISSING" });
    }, 5_000);
    await expect(async () => read(log, [0, 0, 0])).rejects.toMatchObject({ code: "POSITION_MISSING" });
    expect(await readToEnd(again)).toHaveLength(3);
  });

  it("are not reached by skipping what retention has removed", async () => {
    const kafka = open();
    const log = await kafka.logOfOrders();
    const drafts = Array.from({ length: 6 }, () => draft(1));
    await log.append(drafts);
    await kafka.admin().deleteRecords({
      topics: [{ name: kafka.name("orders"), partitions: [{ partition: 1, offset: 4n }] }],
    });
    const fresh = await kafka.logOfOrders();
    expect(await fresh.starts("orders")).toEqual([0, 4, 0]);
    await expect(async () => read(fresh, [0, 2, 0])).rejects.toMatchObject({
      code: "POSITION_MISSING",
      message: expect.stringContaining("orders/1: offset 2 is not there any more"),
    });
    await expect(async () => read(fresh, [0, 60, 0])).rejects.toMatchObject({ code: "POSITION_MISSING" });
    expect((await read(fresh, [0, 4, 0])).records).toHaveLength(2);
  });
});
