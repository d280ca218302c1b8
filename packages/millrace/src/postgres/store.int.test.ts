import { afterAll, describe, expect, it } from "vitest";
import { storeConformance } from "../testing/conformance/store.js";
import { checkedService, committed, ensureThings, thing, writing } from "../testing/conformance/units.js";
import { trialDatabase } from "../testing/trial-database.js";
import { openTrialStore } from "../testing/trial-store.js";

const database = await trialDatabase();
if (database === undefined) console.info("skipped: the store in PostgreSQL, there is none");
const url = database?.url ?? "";
afterAll(() => database?.drop());

describe.skipIf(database === undefined)("the store in PostgreSQL", () => {
  for (const { name, run } of storeConformance(() => openTrialStore(url))) it(name, run);

  it("refuses an id that it cannot hold to whoever asks for it, and not to those who ask beside", async () => {
    const { store, close } = await openTrialStore(url);
    await ensureThings(store);
    const { commit } = await committed(store, writing([thing("a", "1")]));
    const read = (id: string) => store.readDocument(checkedService, "things", id);
    const [a, refused, b] = await Promise.allSettled([read("a"), read("nul \u0000"), read("b")]);
    expect(refused).toMatchObject({ status: "rejected", reason: { code: "STORE_UNAVAILABLE" } });
    expect([a, b]).toEqual([
      { status: "fulfilled", value: { version: commit, schema: 1, text: "1" } },
      { status: "fulfilled", value: undefined },
    ]);
    await close();
  });
});
