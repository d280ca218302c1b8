import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { OpenEngine } from "../engine/engine.js";
import { silentLogger } from "../runtime/logger.js";
import { systemRandom } from "../runtime/random.js";
import type { Position, Unit } from "../store/unit.js";
import { acquire, checkedTopic, newEntry, recordClaim, unitOf } from "../testing/conformance/units.js";
import { virtualClock } from "../testing/virtual-clock.js";
import { embedded } from "./embedded.js";

let engine: OpenEngine;
let position: Position;
beforeEach(async () => {
  engine = await embedded(":memory:").open({ clock: virtualClock(), random: systemRandom, logger: silentLogger });
  await engine.log.ensureTopic({ name: checkedTopic, partitions: 2, owner: "o", key: "k", retentionMs: undefined });
  [position] = (await acquire(engine.store)) as [Position, Position];
});
afterEach(() => engine.close());

const outcomes = async (...units: readonly Unit[]) =>
  (await engine.store.commit(units, [])).map((outcome) => outcome.type);
const parking = (offset: number) => unitOf(recordClaim(position, offset), { entry: newEntry(offset) }, { lane: "k" });
const direct = (offset: number) => unitOf(recordClaim(position, offset), {}, { lane: "k" });
const failing = unitOf({ type: "publish" }, { statements: [{ text: "NONSENSE", params: [], rows: undefined }] });
const succeeding = (entry: number, attempt: number, redrives = 0) =>
  unitOf({ type: "lane-entry", position, entry, attempt, redrives }, {});

describe("what is remembered of held lanes", () => {
  it("is undone with a group that is, so that a lane is free after its one entry", async () => {
    expect(await outcomes(parking(0), failing, failing)).toEqual(["committed", "failed", "failed"]);
    expect(await outcomes(direct(1))).toEqual(["held"]);
    const [head] = await engine.store.readLaneHeads("checked");
    expect(await outcomes(succeeding(head?.entry as number, 1))).toEqual(["committed"]);
    expect(await outcomes(direct(1))).toEqual(["committed"]);
  });

  it("is undone when the entry's success is, so that the lane stays held", async () => {
    await outcomes(parking(0));
    const [head] = await engine.store.readLaneHeads("checked");
    const { entry } = head as { entry: number };
    const failed = { ...succeeding(entry, 1), effects: failing.effects };
    expect(await outcomes(failed, direct(1))).toEqual(["failed", "held"]);
    expect(await outcomes(succeeding(entry, 1), direct(1))).toEqual(["committed", "committed"]);
  });

  it("agrees with the file after operators' acts", async () => {
    await outcomes(parking(0));
    const [head] = await engine.store.readLaneHeads("checked");
    const { entry } = head as { entry: number };
    const change = newEntry(0, { state: "dead", attempt: 2 });
    await outcomes(unitOf({ type: "lane-entry", position, entry, attempt: 1, redrives: 0 }, { change }));
    const act = { actor: "ann", reason: "test", at: 0 };
    expect(await outcomes(direct(1))).toEqual(["held"]);
    await engine.operate.skip([entry], act);
    expect(await outcomes(direct(1))).toEqual(["committed"]);
    // A dead letter that let others pass holds its lane while it runs again.
    await outcomes(
      unitOf(recordClaim(position, 2), { entry: newEntry(2, { state: "dead", holds: false }) }, { lane: "k" }),
    );
    expect(await outcomes(direct(3))).toEqual(["committed"]);
    const [letter] = await engine.inspect.entries({ state: "dead", limit: 1 });
    await engine.operate.redrive([letter?.entry as number], act);
    expect(await outcomes(direct(4))).toEqual(["held"]);
    expect(await outcomes(succeeding(letter?.entry as number, 0, 1), direct(4))).toEqual(["committed", "committed"]);
  });
});
