import { afterAll, afterEach, beforeEach, describe, expect, it } from "vitest";
import { formatReplyTo } from "../log/reply-to.js";
import type { Position } from "../store/unit.js";
import { act, appended, enteredAs, later, letters } from "../testing/conformance/operators-scene.js";
import { checkedConsumer, checkedService, checkedTopic, newRecord, unitOf } from "../testing/conformance/units.js";
import { trialDatabase } from "../testing/trial-database.js";
import { openTrialOperators, type TrialOperators } from "../testing/trial-operators.js";
import { trialPool } from "../testing/trial-store.js";

const database = await trialDatabase();
const pool = trialPool(database?.url ?? "", { max: 20 });
let on: TrialOperators;
const ids = (count: number, prefix = "e") => Array.from({ length: count }, (_, n) => `${prefix}${n}`);

/** A dead letter for each of these events, of another service's consumer. */
async function lettersOf(service: string, names: readonly string[]): Promise<number[]> {
  const records = await appended(on, names);
  const topics = [{ topic: checkedTopic, incarnation: "one", types: ["thing.done"], start: [0, 0] }];
  const positions = await on.store.acquire({ consumer: service, service, topics });
  const position = positions.find(({ partition }) => partition === 0) as Position;
  const entries: number[] = [];
  for (const record of records) entries.push(await enteredAs(on, { position, record }));
  return entries;
}

if (database === undefined) console.info("skipped: operators' acts on PostgreSQL, there is none");
describe.skipIf(database === undefined)("operators' acts on PostgreSQL", () => {
  beforeEach(async () => {
    on = await openTrialOperators(pool);
  });
  afterEach(() => on.close());
  afterAll(async () => {
    await pool.end();
    await database?.drop();
  });

  it("go over the services that entries belong to, in one commit", async () => {
    const { entries } = await letters(on, ids(2));
    const others = await lettersOf("other", ids(2, "o"));
    expect(new Set([...entries, ...others].map((entry) => entry % 1_024)).size).toBe(2);
    const outcome = await on.operate.redrive([others[0]!, entries[0]!, 77], act);
    expect(outcome).toEqual({
      changed: 2,
      lanes: expect.arrayContaining([
        { consumer: checkedConsumer, lane: "k-e0" },
        { consumer: "other", lane: "k-o0" },
      ]),
      unchanged: [77],
    });
    expect(on.rung).toEqual([{ lanes: outcome.lanes, amended: true }]);
    const { job } = await on.operate.createJob(
      { entries: [entries[1]!, others[1]!], selection: "all", force: false },
      act,
    );
    for (const turn of [0, 1]) {
      await on.operate.advanceJobs(act.at + turn);
      for (const entry of await on.inspect.entries({ state: "parked", limit: 10 })) {
        const position = await positionOf(entry.consumer);
        await on.store.commit(
          [unitOf({ type: "lane-entry", position, entry: entry.entry, attempt: 0, redrives: entry.redrives }, {})],
          [],
        );
      }
    }
    await on.operate.advanceJobs(act.at + 2);
    expect(await on.inspect.job(job)).toMatchObject({ state: "done", items: { succeeded: 2 } });
  });

  it("that many do at one time on the same letters are done once", async () => {
    const { entries } = await letters(on, ids(60));
    const acts = Array.from({ length: 8 }, (_, n) =>
      on.operate.redrive(
        [...entries].sort(() => (n % 2) - 0.5),
        later(n),
      ),
    );
    const outcomes = await Promise.all(acts);
    expect(outcomes.reduce((sum, { changed }) => sum + changed, 0)).toBe(60);
    for (const { redrives } of await on.inspect.entries({ limit: 100 })) expect(redrives).toBe(1);
    expect(await on.inspect.audit(100)).toHaveLength(60);
  });

  it("do not lose each other: skips, redrives, edits and jobs at one time leave each letter in one state", async () => {
    const { entries } = await letters(on, ids(40));
    await Promise.all([
      on.operate.skip(entries.slice(0, 20), act),
      on.operate.redrive(entries.slice(10, 30), act),
      ...entries
        .slice(15, 18)
        .map((entry) =>
          Promise.resolve(on.operate.edit({ entry, id: `edited-${entry}`, data: "{}", version: 1 }, act)).catch(
            () => {},
          ),
        ),
      (async () => {
        await on.operate.createJob({ entries, selection: "all", force: true }, act);
        await on.operate.advanceJobs(act.at);
      })(),
      on.operate.skip(entries.slice(5, 25), later(1)),
    ]);
    const left = new Map(
      (await on.inspect.entries({ limit: 100 })).map(({ entry, state, redrives }) => [entry, [state, redrives]]),
    );
    const skipped = (await on.inspect.amendments(checkedConsumer)).filter((amendment) => amendment.act === "skip");
    expect(skipped).toHaveLength(40 - left.size);
    for (const [state, redrives] of left.values()) expect(["dead 0", "parked 1"]).toContain(`${state} ${redrives}`);
  });

  it("tell whoever sent a command that it was skipped, through the outbox", async () => {
    const replyto = formatReplyTo({ topic: "answers", instance: "i-1", step: "pay", undo: false, number: 1 });
    const [record] = await appended(on, ["pay"], () => ({ type: "take-payment", headers: { replyto } }));
    const topics = [{ topic: checkedTopic, incarnation: "one", types: ["take-payment"], start: [0, 0] }];
    const positions = await on.store.acquire({ consumer: checkedConsumer, service: checkedService, topics });
    const position = positions.find(({ partition }) => partition === 0) as Position;
    const entry = await enteredAs(on, { position, record: record! });
    await on.operate.skip([entry], act);
    const [place] = await on.core.places.all();
    const { rows } = await pool.query(`SELECT topic, key, record FROM ${place?.schema}.mr_outbox`);
    expect(rows).toMatchObject([{ topic: "answers", key: "i-1", record: expect.stringContaining("skipped") }]);
    expect(on.left).toEqual([checkedService]);
  });

  it("keep a move apart from commits of the same consumer", async () => {
    const records = await appended(on, ids(200));
    const topics = [{ topic: checkedTopic, incarnation: "one", types: ["thing.done"], start: [0, 0] }];
    const acquire = () => on.store.acquire({ consumer: checkedConsumer, service: checkedService, topics });
    const position = (await acquire()).find(({ partition }) => partition === 0) as Position;
    let done = 0;
    let fenced = 0;
    const handling = (async () => {
      for (const { offset } of records) {
        const effects = { documents: [], records: [newRecord(`out-${offset}`)] };
        const claim = { type: "record", position, start: offset, offset } as const;
        const [outcome] = await on.store.commit([unitOf(claim, effects)], []);
        if (outcome?.type === "committed") done += 1;
        if (outcome?.type === "fenced") fenced += 1;
      }
    })();
    await on.operate.seek({ consumer: checkedConsumer, to: { type: "beginning" }, mute: false }, act);
    await handling;
    expect([done + fenced, fenced > 0]).toEqual([200, true]);
    expect(await positionOf(checkedConsumer)).toMatchObject({ frontier: 0, finished: [] });
  });
});

async function positionOf(consumer: string): Promise<Position> {
  const view = (await on.inspect.consumers(0)).find((one) => one.consumer === consumer);
  return view?.positions.find(({ partition }) => partition === 0) as Position;
}
