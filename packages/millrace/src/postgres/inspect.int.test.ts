import { afterAll, afterEach, beforeEach, describe, expect, it } from "vitest";
import { readProjections } from "../admin/projections.js";
import type { Position } from "../store/unit.js";
import { appended, enteredAs, handled, letters, registered } from "../testing/conformance/operators-scene.js";
import {
  acquire,
  checkedService,
  checkedStreams,
  checkedTopic,
  newRecord,
  unitOf,
} from "../testing/conformance/units.js";
import { trialDatabase } from "../testing/trial-database.js";
import { openTrialOperators, type TrialOperators } from "../testing/trial-operators.js";
import { trialPool } from "../testing/trial-store.js";

const database = await trialDatabase();
const pool = trialPool(database?.url ?? "");
let on: TrialOperators;

if (database === undefined) console.info("skipped: what operators see of PostgreSQL, there is none");
describe.skipIf(database === undefined)("what operators see of PostgreSQL beside a log", () => {
  beforeEach(async () => {
    on = await openTrialOperators(pool);
  });
  afterEach(() => on.close());
  afterAll(async () => {
    await pool.end();
    await database?.drop();
  });

  it("is an event that was committed, before the log has it and after", async () => {
    const root = newRecord("root", { key: "a" });
    const effect = newRecord("effect", {
      correlationId: "root",
      causationId: "root",
      hops: 1,
      partition: root.partition,
    });
    await on.store.commit([unitOf({ type: "publish" }, { records: [root, effect] })], []);
    expect(await on.inspect.event("root")).toMatchObject({ id: "root", offset: -1, data: {} });
    expect((await on.inspect.correlation("root", 10)).map(({ id, offset }) => [id, offset])).toEqual([
      ["root", -1],
      ["effect", -1],
    ]);
    // As the relay does, and once more after its answer was lost.
    await on.log.append([{ ...root }, { ...root }, { ...effect }]);
    expect(await on.inspect.event("root")).toMatchObject({ id: "root", offset: 0 });
    expect((await on.inspect.correlation("root", 10)).map(({ id, offset }) => [id, offset])).toEqual([
      ["root", 0],
      ["effect", 2],
    ]);
  });

  it("is an event of a dead letter, though the log has dropped it", async () => {
    const { records } = await letters(on, ["lost"]);
    on.log.trim(checkedTopic, 0, records[0]!.offset + 1);
    expect(await on.inspect.event("lost")).toMatchObject({ id: "lost", offset: records[0]!.offset });
  });

  it("is an event of another program whose id says nothing of its time", async () => {
    await appended(on, ["f47ac10b-58cc-4372-a567-0e02b2c3d479", "x"]);
    expect(await on.inspect.event("f47ac10b-58cc-4372-a567-0e02b2c3d479")).toMatchObject({ offset: 0 });
    expect(await on.inspect.event("x")).toMatchObject({ offset: 1 });
  });

  it("is what became of an event whose place is not known yet", async () => {
    const [record] = await appended(on, ["a"]);
    const position = (await registered(on))[0] as Position;
    const entry = await enteredAs(on, { position, record: record! });
    expect(await on.inspect.deliveries({ ...record!, offset: -1 })).toMatchObject([{ state: "dead", entry }]);
    expect(await on.inspect.deliveries({ ...record!, offset: -1, id: "b" })).toMatchObject([{ state: "pending" }]);
  });

  it("is lag up to a bound record by record, and by offsets beyond", async () => {
    const records = await appended(
      on,
      Array.from({ length: 40 }, (_, n) => `e${n}`),
      (_, n) => ({
        ...(n % 2 === 0 ? {} : { type: "thing.other" }),
        data: JSON.stringify("x".repeat(100_000)),
      }),
    );
    const position = (await registered(on))[0] as Position;
    const [far] = await on.inspect.consumers(0);
    // The first 11 fill the bound, of which 6 are heard; of the others all count.
    expect(far?.lagRecords).toBe(6 + 29);
    for (const record of records.slice(0, 36)) await handled(on, { position, record });
    expect((await on.inspect.consumers(0))[0]?.lagRecords).toBe(2);
  });

  it("is how far a projection's build has come, in each partition from where it begins now", async () => {
    await on.store.ensureBuild(checkedService, "view", 1);
    const ids = Array.from({ length: 10 }, (_, n) => `e${n}`);
    const records = [
      ...(await appended(on, ids)),
      ...(await appended(on, ids, (id) => ({ id: `${id}-1`, partition: 1 }))),
    ];
    for (const partition of [0, 1]) on.log.trim(checkedTopic, partition, 6);
    const positions = await acquire(on.store, [6, 6], `${checkedService}.view@1`);
    const progress = async () => (await readProjections(on.inspect, Date.now()))[0]?.progress;
    expect(await progress()).toBe(0);
    for (const record of records.filter(({ offset }) => offset === 6 || offset === 7))
      await handled(on, { position: positions[record.partition] as Position, record });
    expect(await progress()).toBe(0.5);
  });

  it("is an aggregate's stream, from the service that owns its topic", async () => {
    const { incarnation } = on.log.ensureTopic({ ...streams, owner: checkedService });
    await on.core.topics.ensure({ ...streams, owner: checkedService, incarnation });
    const record = newRecord("first", { topic: checkedStreams, key: "s", partition: 0, headers: { sequence: 1 } });
    const stream = { topic: checkedStreams, key: "s", version: 0 };
    await on.store.commit([{ ...unitOf({ type: "publish" }, { records: [record] }), stream }], []);
    const page = await on.inspect.stream({ topic: checkedStreams, key: "s", after: 0, limit: 10 });
    expect([page.version, page.records.map(({ id }) => id)]).toEqual([1, ["first"]]);
    expect(await on.inspect.stream({ topic: "unknown", key: "s", after: 0, limit: 10 })).toEqual({
      records: [],
      version: 0,
    });
  });

  it("is what is wrong: a topic made anew, positions past its end, long transactions", async () => {
    const check = async (name: string) => (await on.inspect.doctor()).find((finding) => finding.check === name);
    await appended(on, ["a"]);
    await registered(on);
    expect(await check("tables")).toMatchObject({ ok: true, detail: expect.stringContaining("(state, lanes") });
    expect(await check("positions")).toMatchObject({ ok: false, detail: expect.stringContaining("made anew") });
    const client = await pool.connect();
    await client.query("BEGIN; SELECT pg_current_xact_id()");
    expect(await check("transactions")).toMatchObject({ ok: true });
    await client.query("ROLLBACK");
    client.release();
  });
});

const streams = { name: checkedStreams, partitions: 1, key: "k", retentionMs: undefined, streams: true };
