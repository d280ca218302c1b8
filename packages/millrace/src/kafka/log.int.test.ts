import { randomBytes } from "node:crypto";
import { describe, it } from "vitest";
import { systemClock } from "../runtime/clock.js";
import { silentLogger } from "../runtime/logger.js";
import { systemRandom } from "../runtime/random.js";
import { logConformance } from "../testing/conformance/log.js";
import { logHistoryConformance } from "../testing/conformance/log-history.js";
import { trialServers } from "../testing/trial-services.js";
import { kafkaLog } from "./kafka.js";

const servers = await trialServers("kafka/1");
const context = { clock: systemClock, random: systemRandom, logger: silentLogger };

/** A log of its own: its topics share a prefix. */
async function openLog() {
  const prefix = `t${randomBytes(5).toString("hex")}.`;
  const bootstrapBrokers = (servers?.address ?? "").split(",");
  const open = () => kafkaLog({ client: { bootstrapBrokers }, prefix }).open(context);
  let log = await open();
  return {
    get log() {
      return log;
    },
    async reopen() {
      await log.close();
      log = await open();
      await log.ensureTopic({ name: "orders", partitions: 3, owner: "shop", key: "orderId", retentionMs: undefined });
    },
    close: () => log.close(),
  };
}

const exceptions = {
  "takes a repeated identity for the first one, and refuses it with other content":
    "Kafka has no index of identities; the store beside it drops copies",
  "follows a topic's owner and retention": "what is declared of a topic is kept by the store beside it",
};

if (servers === undefined) console.info("skipped: no Kafka");
describe.skipIf(servers === undefined)("the log on Kafka", () => {
  for (const { name, run } of logConformance(openLog, exceptions)) it(name, run);
  for (const { name, run } of logHistoryConformance(openLog)) it(name, run);
});
