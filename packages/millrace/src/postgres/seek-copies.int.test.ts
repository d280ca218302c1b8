import { afterAll, afterEach, beforeEach, describe, expect, it } from "vitest";
import type { LogRecord } from "../log/log.js";
import type { Position } from "../store/unit.js";
import { act, appended, registered } from "../testing/conformance/operators-scene.js";
import { checkedConsumer as consumer, outcomes, recordClaim, unitOf } from "../testing/conformance/units.js";
import { trialDatabase } from "../testing/trial-database.js";
import { openTrialOperators, type TrialOperators } from "../testing/trial-operators.js";
import { trialPool } from "../testing/trial-store.js";

const database = await trialDatabase();
const pool = trialPool(database?.url ?? "");
let on: TrialOperators;

/** The handling of a record whose claim names its event, as consumers beside a log that may repeat itself do. */
function handle(positions: readonly Position[], record: LogRecord): Promise<readonly string[]> {
  const position = positions.find(({ partition }) => partition === record.partition) as Position;
  const { source, id, time, appended: at } = record;
  const events = [{ source, id, time, appended: at }];
  return outcomes(on.store, unitOf({ ...recordClaim(position, record.offset), events }, {}));
}

if (database === undefined) console.info("skipped: copies after a move on PostgreSQL, there is none");
describe.skipIf(database === undefined)("a consumer of which one partition was moved back", () => {
  beforeEach(async () => {
    on = await openTrialOperators(pool);
  });
  afterEach(() => on.close());
  afterAll(async () => {
    await pool.end();
    await database?.drop();
  });

  it("knows copies of what the others have handled, and handles its own events again, once", async () => {
    const [stays] = await appended(on, ["stays"]);
    const [moves] = await appended(on, ["moves"], () => ({ partition: 1 }));
    const before = await registered(on);
    expect(await handle(before, stays!)).toEqual(["committed"]);
    expect(await handle(before, moves!)).toEqual(["committed"]);
    await on.operate.seek({ consumer, partition: 1, to: { type: "beginning" }, mute: false }, act);
    const after = await registered(on);
    expect(after.map(({ generation }) => generation)).toEqual([2, 2]);

    // The relay sends both once more, because it does not know that the log has them.
    const [staysAgain] = await appended(on, ["stays"]);
    const [movesAgain] = await appended(on, ["moves"], () => ({ partition: 1 }));
    expect(await handle(after, staysAgain!)).toEqual(["already"]);
    expect(await handle(after, moves!)).toEqual(["committed"]);
    expect(await handle(after, movesAgain!)).toEqual(["already"]);
    const reach = (record: LogRecord) => on.store.readReach(consumer, { ...record, keyHash: 0, offset: -1 });
    expect([await reach(stays!), await reach(moves!)]).toEqual([{ type: "reached" }, { type: "reached" }]);
  });

  it("has handled all of them again after each was moved back, one after the other", async () => {
    const [one] = await appended(on, ["one"]);
    const [two] = await appended(on, ["two"], () => ({ partition: 1 }));
    let positions = await registered(on);
    for (const record of [one!, two!]) expect(await handle(positions, record)).toEqual(["committed"]);
    for (const partition of [0, 1])
      await on.operate.seek({ consumer, partition, to: { type: "beginning" }, mute: false }, act);
    positions = await registered(on);
    for (const record of [one!, two!]) expect(await handle(positions, record)).toEqual(["committed"]);
    const [again] = await appended(on, ["one"]);
    expect(await handle(positions, again!)).toEqual(["already"]);
  });
});
