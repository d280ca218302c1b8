import { afterAll, describe, it } from "vitest";
import { operatorsConformance } from "../testing/conformance/operators.js";
import { trialDatabase } from "../testing/trial-database.js";
import { openTrialOperators } from "../testing/trial-operators.js";
import { trialPool } from "../testing/trial-store.js";

const database = await trialDatabase();
const pool = trialPool(database?.url ?? "");

if (database === undefined) console.info("skipped: operators of PostgreSQL, there is none");
describe.skipIf(database === undefined)("operators of PostgreSQL", () => {
  afterAll(async () => {
    await pool.end();
    await database?.drop();
  });
  for (const { name, run } of operatorsConformance(() => openTrialOperators(pool))) it(name, run);
});
