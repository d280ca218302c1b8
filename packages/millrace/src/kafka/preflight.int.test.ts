import zlib from "node:zlib";
import { ConfigResourceTypes } from "@platformatic/kafka";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { limits } from "../contract/limits.js";
import { outside, type TopicShape } from "../log/log.js";
import { checkedShape, draft } from "../testing/conformance/log-drafts.js";
import { TrialKafka } from "../testing/trial-kafka.js";
import { trialServers } from "../testing/trial-services.js";

const servers = await trialServers("kafka/1");
let kafka: TrialKafka;
beforeEach(() => {
  kafka = new TrialKafka(servers?.address ?? "");
});
afterEach(() => kafka.close());

const orders: TopicShape = { ...checkedShape, incarnation: "" };
const created = async (configs: Readonly<Record<string, string>>) => {
  await kafka.admin().createTopics({
    topics: [kafka.name("orders")],
    partitions: 3,
    replicas: 1,
    configs: Object.entries(configs).map(([name, value]) => ({ name, value })),
  });
  return kafka.logOfOrders();
};

if (servers === undefined) console.info("skipped: no Kafka");
describe.skipIf(servers === undefined)("preflight", () => {
  it("names each setting that breaks a promise, its value, why, and the command that mends it", async () => {
    const log = await created({
      ...{ "cleanup.policy": "compact", "unclean.leader.election.enable": "true", "retention.bytes": "1000000" },
      "compression.type": "zstd",
    });
    const risks = await log.preflight([orders]);
    const name = kafka.name("orders");
    const mended = (setting: string) => `--entity-name ${name} --add-config ${setting}`;
    expect(Object.fromEntries(risks.map((risk) => [risk.name, risk.what]))).toMatchObject({
      "replication-factor": expect.stringContaining(`topic ${name}: its replication factor is 1`),
      "unclean-leader-election": expect.stringContaining(mended("unclean.leader.election.enable=false")),
      "cleanup-policy": expect.stringContaining(mended("cleanup.policy=delete")),
      "retention-bytes": expect.stringContaining("retention.bytes is 1000000"),
      "timestamp-type": expect.stringContaining("message.timestamp.type is CreateTime"),
      "max-message-bytes": expect.stringContaining(mended("max.message.bytes=2097152")),
    });
    const compression = risks.find((risk) => risk.name === "compression")?.what;
    if ("zstdCompressSync" in zlib) expect(compression).toBeUndefined();
    else expect(compression).toContain(mended("compression.type=lz4"));
  });

  it("finds nothing but the missing copies in topics that it has made", async () => {
    const log = await kafka.logOfOrders();
    expect((await log.preflight([orders])).map(({ name }) => name)).toEqual(["replication-factor"]);
    expect((await log.preflight([])).map(({ name }) => name)).toEqual(["replication-factor"]);
  });

  it("finds room in them for the largest event that may be published", async () => {
    const log = await kafka.logOfOrders();
    const { bytesMax } = limits;
    const data = JSON.stringify(Array.from({ length: 10 }, () => "x".repeat(bytesMax / 10 - 4))).padEnd(bytesMax);
    const id = "i".repeat(200);
    const record = draft(0, { id, key: "k".repeat(512), data });
    expect(Buffer.byteLength(data)).toBe(bytesMax);
    await log.append([record, { ...record, id: "another" }]);
    expect((await log.ends("orders"))[0]).toBe(2);
  });

  it("leaves the settings of other programs' topics to them", async () => {
    const log = await created({ "cleanup.policy": "compact" });
    expect(await log.preflight([{ ...orders, owner: outside }])).toEqual([]);
  });
});

if (servers === undefined) console.info("skipped: no Kafka");
describe.skipIf(servers === undefined)("a topic", () => {
  const retention = async () => {
    const resource = { resourceType: ConfigResourceTypes.TOPIC, resourceName: kafka.name("orders") };
    const [described] = await kafka
      .admin()
      .describeConfigs({ resources: [{ ...resource, configurationKeys: ["retention.ms"] }] });
    return described?.configs[0]?.value;
  };

  it("keeps records as long as its owner declares, now and when the owner says otherwise", async () => {
    const log = await kafka.logOfOrders();
    expect(await retention()).toBe("-1");
    await log.ensureTopic({ ...checkedShape, retentionMs: 3_600_000 });
    expect(await retention()).toBe("3600000");
    await log.ensureTopic({ ...checkedShape, owner: outside, retentionMs: 1_000 });
    expect(await retention()).toBe("3600000");
  });

  it("is made once when many processes start at once", async () => {
    const logs = await Promise.all(Array.from({ length: 4 }, () => kafka.log()));
    const made = await Promise.all(logs.map((log) => log.ensureTopic(checkedShape)));
    expect(new Set(made.map(({ incarnation }) => incarnation)).size).toBe(1);
  });

  it("of another partition count refuses the start", async () => {
    const log = await kafka.logOfOrders();
    await expect(async () => log.ensureTopic({ ...checkedShape, partitions: 5 })).rejects.toMatchObject({
      code: "PARTITIONS_CHANGED",
      message: expect.stringContaining("has 3 partitions, its contract says 5"),
    });
  });

  it("that a record does not fit refuses that record, and takes those beside it", async () => {
    const log = await created({ "max.message.bytes": "3000" });
    const sized = (id: string, length: number) => ({
      ...{ topic: "orders", partition: 0, id, source: "shop", type: "order.placed", version: 1, key: "k", time: 1 },
      ...{ correlationId: undefined, causationId: undefined, hops: 0, headers: undefined, named: false, offset: -1 },
      data: JSON.stringify("x".repeat(length)),
    });
    const fitting = Array.from({ length: 8 }, (_, n) => sized(`fits-${n}`, 1_000));
    const large = sized("large", 5_000);
    const outcomes = await Promise.allSettled([
      log.append(fitting),
      log.append([large]),
      log.append([sized("after", 10)]),
    ]);
    expect(outcomes.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
    expect((outcomes[1] as PromiseRejectedResult).reason).toMatchObject({ code: "PAYLOAD_LIMIT" });
    expect((await log.ends("orders"))[0]).toBe(9);
  });
});
