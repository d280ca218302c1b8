import { afterAll, describe, it } from "vitest";
import { systemClock } from "../runtime/clock.js";
import { silentLogger } from "../runtime/logger.js";
import { systemRandom } from "../runtime/random.js";
import { operatorsConformance } from "../testing/conformance/operators.js";
import { trialDatabase } from "../testing/trial-database.js";
import { openTrialOperators, operatorsBeside } from "../testing/trial-operators.js";
import { freshSchema, trialPool } from "../testing/trial-store.js";
import { postgresLog } from "./log.js";

const database = await trialDatabase();
const pool = trialPool(database?.url ?? "");

if (database === undefined) console.info("skipped: operators of PostgreSQL, there is none");
describe.skipIf(database === undefined)("operators of PostgreSQL", () => {
  afterAll(async () => {
    await pool.end();
    await database?.drop();
  });
  describe("beside a log in memory", () => {
    for (const { name, run } of operatorsConformance(() => openTrialOperators(pool))) it(name, run);
  });

  describe("beside a log in PostgreSQL", () => {
    const open = async () => {
      const context = { clock: systemClock, random: systemRandom, logger: silentLogger };
      return operatorsBeside(await postgresLog({ pool, schema: `log_${freshSchema()}` }).open(context), pool);
    };
    for (const { name, run } of operatorsConformance(open)) it(name, run);
  });
});
