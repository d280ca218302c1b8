import { afterAll, describe, expect, it } from "vitest";
import { sharedStoreConformance } from "./conformance/shared-store.js";
import { storeConformance } from "./conformance/store.js";
import { plantServer, type ServerFaultName } from "./faults-servers.js";
import { trialDatabase } from "./trial-database.js";
import { openSharedStore, openTrialStore } from "./trial-store.js";

const database = await trialDatabase();
const url = database?.url ?? "";
afterAll(() => database?.drop());

const promises = [
  ...storeConformance(() => openTrialStore(url)),
  ...sharedStoreConformance(() => openSharedStore(url)),
];

/** Whether a promise of the store is kept now. */
async function isKept(promise: string): Promise<boolean> {
  const found = promises.find(({ name }) => name === promise);
  if (found === undefined) throw new Error(`nobody checks that the store ${promise}`);
  return await found.run().then(
    () => true,
    () => false,
  );
}

if (database === undefined) console.info("skipped: guards of the store in PostgreSQL, there is none");
// The store is the same one with Kafka beside it and without.
describe.skipIf(database === undefined)("a guard of the store in PostgreSQL that is turned off", () => {
  it.each<[ServerFaultName, string]>([
    ["epoch", "drops what an entry's unit asks for under an epoch that is over"],
    ["epoch", "refuses many records when one of them is taken, one lane is held, or one lease is lost"],
    ["inbox", "handles an event once that comes at several offsets, and moves on past its copies"],
    ["lane", "holds a lane that has entries: what runs past them is refused, what joins them stands behind"],
    ["atomic", "takes the rest of a unit into the stream's commit, or leaves both out"],
  ])("is noticed: %s, for the store %s", async (name, promise) => {
    expect(await isKept(promise)).toBe(true);
    const undo = plantServer(name);
    expect(await isKept(promise).finally(undo)).toBe(false);
    expect(await isKept(promise)).toBe(true);
  });
});
