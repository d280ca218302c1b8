import { afterAll, describe, it } from "vitest";
import { sharedStoreConformance } from "../testing/conformance/shared-store.js";
import { trialDatabase } from "../testing/trial-database.js";
import { openSharedStore } from "../testing/trial-store.js";

const database = await trialDatabase();
const url = database?.url ?? "";
afterAll(() => database?.drop());

if (database === undefined) console.info("skipped: processes that share a store in PostgreSQL, there is none");
describe.skipIf(database === undefined)("processes that share a store in PostgreSQL", () => {
  for (const { name, run } of sharedStoreConformance(() => openSharedStore(url))) it(name, run);
});
