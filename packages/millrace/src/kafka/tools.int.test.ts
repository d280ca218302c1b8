import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { partitionOf } from "../log/murmur2.js";
import type { Position } from "../store/unit.js";
import { draft } from "../testing/conformance/log-drafts.js";
import { readToEnd, TrialKafka } from "../testing/trial-kafka.js";
import { hasKafkaTools, kafkaTool } from "../testing/trial-kafka-tools.js";
import { trialServers } from "../testing/trial-services.js";

const servers = await trialServers("kafka/1");
let kafka: TrialKafka;
beforeEach(() => {
  kafka = new TrialKafka(servers?.address ?? "");
});
afterEach(() => kafka.close());

const missing = servers === undefined || !hasKafkaTools;
const at = () => ["--bootstrap-server", kafka.brokers.join(",")];

if (missing) console.info("skipped: no Kafka, or its own tools are not on this machine");
describe.skipIf(missing)("Kafka's own tools", { timeout: 60_000 }, () => {
  it("print our records with their keys and headers", async () => {
    const log = await kafka.logOfOrders();
    const one = draft(1, { version: 2, headers: { actor: "ann" } });
    await log.append([one]);
    const print = ["headers", "key"].flatMap((what) => ["--property", `print.${what}=true`]);
    const bounds = ["--from-beginning", "--max-messages", "1", "--timeout-ms", "20000"];
    const printed = await kafkaTool("consumer", [...at(), "--topic", kafka.name("orders"), ...bounds, ...print]);
    const [headers, key, value] = printed.trim().split("\t");
    expect([key, value]).toEqual([one.key, one.data]);
    expect(headers?.split(",")).toEqual(
      expect.arrayContaining([
        ...[`ce_id:${one.id}`, "ce_specversion:1.0", "ce_type:order.placed", "ce_source:shop", "ce_actor:ann"],
        ...["content-type:application/json", "ce_dataschema:urn:millrace:order.placed:2"],
      ]),
    );
  });

  it("write records that we read, on the partitions that our own partitioner says", async () => {
    const log = await kafka.logOfOrders();
    const keys = ["a", "b", "order-77", "é"];
    const lines = keys.map((key) =>
      [`ce_id:id-${key},ce_source:console,ce_type:order.placed`, key, JSON.stringify({ orderId: key })].join("\t"),
    );
    const parse = ["headers", "key"].flatMap((what) => ["--property", `parse.${what}=true`]);
    await kafkaTool("producer", [...at(), "--topic", kafka.name("orders"), ...parse], `${lines.join("\n")}\n`);
    const records = await vi.waitFor(async () => {
      const found = await readToEnd(log);
      expect(found).toHaveLength(keys.length);
      return found;
    }, 15_000);
    for (const key of keys)
      expect(records.find((record) => record.key === key)).toMatchObject({
        ...{ id: `id-${key}`, source: "console", type: "order.placed", data: { orderId: key } },
        partition: partitionOf(key, 3),
      });
  });

  it("show how far a consumer has come, and its lag", async () => {
    const log = await kafka.logOfOrders({ offsetsEvery: "50ms" });
    await log.append(Array.from({ length: 9 }, (_, n) => draft(n % 3)));
    const position = { topic: "orders", generation: 1, epoch: 1, crashes: 0, finished: [], consumer: "payments" };
    const positions: readonly Position[] = [
      { ...position, id: 1, partition: 0, frontier: 3 },
      { ...position, id: 2, partition: 2, frontier: 1 },
    ];
    log.note("payments", positions);
    const group = kafka.name("payments");
    const described = await vi.waitFor(
      async () => {
        const text = await kafkaTool("groups", [...at(), "--describe", "--group", group]);
        expect(text).toContain(kafka.name("orders"));
        return text;
      },
      { timeout: 50_000, interval: 500 },
    );
    // GROUP TOPIC PARTITION CURRENT-OFFSET LOG-END-OFFSET LAG …
    const rows = described.split("\n").map((line) => line.trim().split(/\s+/));
    const shown = rows.filter(([name]) => name === group).map((row) => row.slice(2, 6).map(Number));
    expect(shown.sort()).toEqual([
      [0, 3, 3, 0],
      [2, 1, 3, 2],
    ]);
  });
});
