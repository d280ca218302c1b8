import { CloudEvent, Kafka as KafkaBinding } from "cloudevents";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { OpenLog } from "../engine/halves.js";
import { draft } from "../testing/conformance/log-drafts.js";
import { readToEnd, TrialKafka } from "../testing/trial-kafka.js";
import { trialServers } from "../testing/trial-services.js";

const servers = await trialServers("kafka/1");
let kafka: TrialKafka;
let log: OpenLog;
beforeEach(() => {
  kafka = new TrialKafka(servers?.address ?? "");
});
afterEach(() => kafka.close());

type Header = readonly (readonly [string, string])[];
/** What another program sends. */
async function send(
  value: string | Buffer | null,
  { key, headers = [], partition = 0 }: { key?: string; headers?: Header; partition?: number } = {},
) {
  const bytes = typeof value === "string" ? Buffer.from(value) : value;
  await kafka.producer().send({
    acks: -1,
    messages: [
      {
        topic: kafka.name("orders"),
        partition,
        value: bytes as Buffer,
        ...(key === undefined ? {} : { key: Buffer.from(key) }),
        headers: new Map(headers.map(([name, text]) => [Buffer.from(name), Buffer.from(text)])),
      },
    ],
  });
}
/** The n-th record: what another program wrote comes to readers a moment later. */
const nth = (n: number) =>
  vi.waitFor(async () => {
    const record = (await readToEnd(log))[n - 1];
    if (record === undefined) throw new Error(`record ${n} is not there yet`);
    return record;
  }, 15_000);

if (servers === undefined) console.info("skipped: no Kafka");
describe.skipIf(servers === undefined)("a record of another program", () => {
  it("is read by its headers when it is a CloudEvent in binary mode", async () => {
    log = await kafka.logOfOrders();
    await send('{"orderId":"o-1"}', {
      key: "o-1",
      headers: [
        ["ce_specversion", "1.0"],
        ["ce_id", "77"],
        ["ce_source", "/billing"],
        ["ce_type", "order.placed"],
        ["ce_time", "2024-05-06T07:08:09.123Z"],
        ["x-other", "ignored"],
        ["content-type", "application/json; charset=utf-8"],
      ],
    });
    const record = await nth(1);
    expect(record).toMatchObject({
      ...{ id: "77", source: "/billing", type: "order.placed", version: 1, key: "o-1", correlationId: "77" },
      ...{ time: Date.parse("2024-05-06T07:08:09.123Z"), hops: 0, headers: undefined, data: { orderId: "o-1" } },
    });
    expect(record.bytes).toBeUndefined();
  });

  it("is read when the cloudevents SDK wrote it, in either mode", async () => {
    log = await kafka.logOfOrders();
    const event = new CloudEvent({
      ...{ id: "9", source: "/sdk", type: "order.placed", subject: "o-9", time: "2024-05-06T07:08:09.000Z" },
      ...{ correlationid: "flow", data: { orderId: "o-9" } },
    });
    for (const [index, message] of [KafkaBinding.binary(event), KafkaBinding.structured(event)].entries()) {
      const headers = Object.entries(message.headers).flatMap(([name, value]) =>
        value === undefined ? [] : [[name, String(value)] as const],
      );
      const { value } = message as unknown as { value: unknown };
      await send(typeof value === "string" ? value : JSON.stringify(value), { key: "o-9", headers });
      expect(await nth(index + 1)).toMatchObject({
        ...{ id: "9", source: "/sdk", type: "order.placed", key: "o-9", correlationId: "flow" },
        ...{ time: Date.parse("2024-05-06T07:08:09.000Z"), data: { orderId: "o-9" }, bytes: undefined },
      });
    }
  });

  it("is read as its topic's mapping says when it is no CloudEvent", async () => {
    log = await kafka.logOfOrders({
      topics: {
        orders: {
          foreign: {
            type: ({ headers }) => headers["kind"],
            version: 2,
            key: ({ json }) => (json as { no: string }).no,
            id: ({ headers, offset }) => headers["uid"] ?? String(offset),
            source: "legacy",
            data: ({ json }) => ({ orderId: (json as { no: string }).no }),
          },
        },
      },
    });
    await send('{"no":"o-3"}', {
      headers: [
        ["kind", "order.imported"],
        ["uid", "u-1"],
      ],
    });
    expect(await nth(1)).toMatchObject({
      ...{ id: "u-1", source: "legacy", type: "order.imported", version: 2, key: "o-3", data: { orderId: "o-3" } },
    });
    // A mapping that throws leaves the record as it came, under the type it has.
    await send("no json", { key: "k", headers: [["kind", "order.imported"]] });
    const raw = await nth(2);
    expect([raw.type, raw.data, Buffer.from(raw.bytes ?? []).toString()]).toEqual([
      "order.imported",
      undefined,
      "no json",
    ]);
  });

  it("is kept as its bytes when nobody said how to read it, and has an identity all the same", async () => {
    log = await kafka.logOfOrders();
    await send(Buffer.of(0xff, 0), { key: "k", partition: 2 });
    await send('{"a":1}', { partition: 2 });
    await send(null, { key: "gone", partition: 2 });
    const records = await readToEnd(log);
    expect(records.map(({ type, key, id, data }) => [type, key, id, data])).toEqual([
      ["record.unmapped", "k", "2/0", undefined],
      ["record.unmapped", "", "2/1", undefined],
      ["record.unmapped", "gone", "2/2", undefined],
    ]);
    expect(records.map(({ bytes }) => [...(bytes ?? [])])).toEqual([[0xff, 0], [...Buffer.from('{"a":1}')], []]);
    expect(new Set(records.map(({ source }) => source))).toEqual(new Set([`kafka:${kafka.name("orders")}`]));
  });
});

if (servers === undefined) console.info("skipped: no Kafka");
describe.skipIf(servers === undefined)("a record of ours", () => {
  it("is a CloudEvent to the cloudevents SDK", async () => {
    log = await kafka.logOfOrders();
    const record = draft(1, {
      ...{ correlationId: "flow", causationId: "cause", hops: 3, version: 2, headers: { actor: "ann", sequence: 7 } },
    });
    await log.append([record]);
    const consumer = kafka.consumer();
    const stream = await consumer.consume({ topics: [kafka.name("orders")], mode: "earliest", autocommit: false });
    const [message] = (await stream.take(1).toArray()) as {
      key: Buffer;
      value: Buffer;
      headers: Map<Buffer, Buffer>;
    }[];
    await stream.close();
    const headers = Object.fromEntries([...(message?.headers ?? [])].map(([name, value]) => [`${name}`, `${value}`]));
    const event = KafkaBinding.toEvent({ headers, key: `${message?.key}`, value: `${message?.value}` } as never);
    expect(event).toMatchObject({
      ...{ specversion: "1.0", id: record.id, source: "shop", type: "order.placed", subject: record.key },
      ...{ time: new Date(record.time).toISOString(), dataschema: "urn:millrace:order.placed:2" },
      ...{ correlationid: "flow", causationid: "cause", hops: "3", actor: "ann", sequence: "7" },
      ...{ partitionkey: record.key, datacontenttype: "application/json" },
    });
    expect((event as CloudEvent<unknown>).data).toEqual(JSON.parse(String(record.data)));
  });
});
