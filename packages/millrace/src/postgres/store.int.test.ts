import { afterAll, describe, it } from "vitest";
import { storeConformance } from "../testing/conformance/store.js";
import { trialDatabase } from "../testing/trial-database.js";
import { openTrialStore } from "../testing/trial-store.js";

const database = await trialDatabase();
if (database === undefined) console.info("skipped: the store in PostgreSQL, there is none");
const url = database?.url ?? "";
afterAll(() => database?.drop());

describe.skipIf(database === undefined)("the store in PostgreSQL", () => {
  for (const { name, run } of storeConformance(() => openTrialStore(url))) it(name, run);
});
