import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { draft } from "../testing/conformance/log-drafts.js";
import { nextRecords, TrialKafka } from "../testing/trial-kafka.js";
import { type TrialAccess, trialServers } from "../testing/trial-services.js";

const servers = await trialServers("secure-kafka");
let kafka: TrialKafka;
beforeEach(() => {
  kafka = new TrialKafka(servers?.secure?.address ?? "");
});
afterEach(() => kafka.close());

if (servers?.secure === undefined) console.info("skipped: no Kafka that wants to know who is there");
describe.skipIf(servers?.secure === undefined)("a Kafka with TLS and SASL", () => {
  const { ca, username, password } = (servers?.secure ?? {}) as TrialAccess;
  const mechanism = "SCRAM-SHA-512" as const;

  it("is used as the client's settings say, by all connections", async () => {
    const log = await kafka.logOfOrders({
      client: { tls: { ca }, sasl: { mechanism, username, password: () => password } },
      offsetsEvery: "10ms",
    });
    const { next } = await log.read({ topic: "orders", from: [0, 0, 0], recordsMax: 10, bytesMax: 1_000 });
    const one = draft(2);
    await log.append([one]);
    expect((await nextRecords(log, next)).records.map(({ id }) => id)).toEqual([one.id]);
    expect(await log.ends("orders")).toEqual([0, 0, 1]);
  });

  it("refuses a wrong password at once, and says so", async () => {
    const sasl = { mechanism, username, password: "wrong" };
    await expect(kafka.log({ client: { tls: { ca }, sasl } })).rejects.toMatchObject({
      code: "OPTION_INVALID",
      message: expect.stringContaining("Kafka does not accept the client's sasl"),
    });
  });

  it("is not trusted without its certificate", async () => {
    const sasl = { mechanism, username, password };
    await expect(kafka.log({ client: { tls: {}, sasl }, patience: "300ms" })).rejects.toMatchObject({
      code: "STORE_UNAVAILABLE",
      message: expect.stringMatching(/certificate/),
    });
  });
});
