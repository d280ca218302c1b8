import { afterAll, describe, it } from "vitest";
import { sharedStoreConformance } from "../testing/conformance/shared-store.js";
import { trialDatabase } from "../testing/trial-database.js";
import { freshSchema, openCore, published, trialPool } from "../testing/trial-store.js";

const database = await trialDatabase();
const url = database?.url ?? "";
afterAll(() => database?.drop());

/** Two processes' worth: each with a pool, and a name, of its own. */
async function openShared() {
  const shared = freshSchema();
  const pools = [trialPool(url), trialPool(url)] as const;
  const left = await openCore(pools[0], shared);
  const right = await openCore(pools[1], shared);
  return {
    left: left.store,
    right: right.store,
    published: () => published(pools[0], left),
    async close() {
      await left.close();
      await right.close();
      await Promise.all(pools.map((pool) => pool.end()));
    },
  };
}

if (database === undefined) console.info("skipped: processes that share a store in PostgreSQL, there is none");
describe.skipIf(database === undefined)("processes that share a store in PostgreSQL", () => {
  for (const { name, run } of sharedStoreConformance(openShared)) it(name, run);
});
