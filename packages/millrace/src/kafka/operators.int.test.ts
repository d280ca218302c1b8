import { afterAll, describe, it, vi } from "vitest";
import { operatorsConformance } from "../testing/conformance/operators.js";
import { trialDatabase } from "../testing/trial-database.js";
import { TrialKafka } from "../testing/trial-kafka.js";
import { operatorsBeside } from "../testing/trial-operators.js";
import { trialServers } from "../testing/trial-services.js";
import { trialPool } from "../testing/trial-store.js";

const servers = await trialServers("kafka/1");
const database = servers && (await trialDatabase());
const pool = trialPool(database?.url ?? "");
vi.setConfig({ testTimeout: 60_000 });

/** Each case has topics of its own. */
async function open() {
  const kafka = new TrialKafka(servers?.address ?? "");
  const log = await kafka.log({ replicationFactor: 1, offsetsEvery: "0s" });
  // One broker keeps one copy, of which a doctor would complain.
  const on = await operatorsBeside({ ...log, preflight: async () => [] }, pool);
  return Object.assign(on, { close: async () => [await on.core.close(), await kafka.close()].at(0) });
}

if (database === undefined) console.info("skipped: operators beside Kafka, there is none");
describe.skipIf(database === undefined)("operators of PostgreSQL beside a log in Kafka", () => {
  afterAll(async () => {
    await pool.end();
    await database?.drop();
  });
  for (const { name, run } of operatorsConformance(open)) it(name, run);
});
