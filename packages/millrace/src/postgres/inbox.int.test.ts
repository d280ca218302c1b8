import { afterAll, afterEach, beforeEach, describe, expect, it } from "vitest";
import { silentLogger } from "../runtime/logger.js";
import type { Outcome } from "../store/unit.js";
import { acquire, checkedService, unitOf } from "../testing/conformance/units.js";
import { trialDatabase } from "../testing/trial-database.js";
import { openTrialOperators, type TrialOperators } from "../testing/trial-operators.js";
import { trialPool } from "../testing/trial-store.js";
import { virtualClock } from "../testing/virtual-clock.js";
import { Hygiene, keepingDefault } from "./hygiene.js";
import { dayOf } from "./names.js";
import { inboxDays, makeDayIn, readDays } from "./partitions.js";
import { transact, withSession } from "./session.js";

const database = await trialDatabase();
const pool = trialPool(database?.url ?? "", { max: 12 });
const day = 86_400_000;
const start = Date.UTC(2030, 0, 1, 12);
let clock = virtualClock();
let on: TrialOperators;
let schema: string;

/** Handles the event of this id and time, which reached the log now, as if it were at this offset. */
async function handle(offset: number, id: string, time: number): Promise<Outcome["type"] | undefined> {
  const [position] = await acquire(on.store);
  const events = [{ source: "far", id, time, appended: clock.now() }];
  const claim = { type: "record", position: position!, start: offset, offset, events } as const;
  return (await on.store.commit([unitOf(claim, {})], []))[0]?.type;
}
async function tidy(): Promise<void> {
  const hygiene = new Hygiene({ ...on.parts, clock, logger: silentLogger, keeping: keepingDefault });
  for (let turns = 0; turns < 100; turns += 1) if (!(await hygiene.turn())) return;
  throw new Error("it never came to an end");
}
const ids = async (table: string): Promise<string[]> =>
  (await pool.query(`SELECT id FROM ${schema}.${table} ORDER BY id`)).rows.map(({ id }) => id);
const days = () => withSession(pool, (session) => readDays(session, schema, inboxDays));

if (database === undefined) console.info("skipped: the inbox in PostgreSQL, there is none");
describe.skipIf(database === undefined)("an event that says it comes from the future", () => {
  beforeEach(async () => {
    clock = virtualClock(start);
    on = await openTrialOperators(pool, clock);
    schema = (await on.core.places.of(checkedService)).schema;
  });
  afterEach(() => on.close());
  afterAll(async () => {
    await pool.end();
    await database?.drop();
  });

  it("is known whenever a copy of it comes, until a copy of that time would be too late to be taken for a new one", async () => {
    const soon = start + 10 * day;
    expect([await handle(0, "soon", soon), await handle(1, "later", start + 300 * day)]).toEqual([
      "committed",
      "committed",
    ]);
    expect(await days()).not.toContain(dayOf(soon));
    for (const [offset, wait] of [4, 4, 2, 15].entries()) {
      await clock.advance(wait * day);
      expect(await handle(2 + 2 * offset, "soon", soon)).toBe("already");
      await tidy();
      expect(await handle(3 + 2 * offset, "soon", soon)).toBe("already");
    }
    expect(await ids("mr_inbox")).toEqual(["later", "soon"]);
    await clock.advance(20 * day);
    await tidy();
    expect([await ids("mr_inbox"), await ids("mr_inbox_far")]).toEqual([["later"], ["later"]]);
  });

  it("is known when its day gets a partition while it is being committed", async () => {
    const soon = start + 10 * day;
    let outcome: Promise<unknown> | undefined;
    await transact(pool, async (session) => {
      await session.script(`LOCK TABLE ${schema}.mr_inbox_far IN ACCESS EXCLUSIVE MODE`);
      outcome = handle(0, "soon", soon);
      const waiting = "SELECT count(*)::int AS n FROM pg_locks WHERE NOT granted AND relation = $1::regclass";
      const waits = async () => (await pool.query(waiting, [`${schema}.mr_inbox_far`])).rows[0].n;
      await expect.poll(waits).toBe(1);
      await makeDayIn(session, schema, inboxDays, dayOf(soon));
    });
    expect(await outcome).toBe("committed");
    expect([await ids(`mr_inbox_${dayOf(soon)}`), await handle(1, "soon", soon)]).toEqual([["soon"], "already"]);
  });

  it("and one of any other day, are known while a backup reads the inbox, and when it has ended", async () => {
    const old = start - 5 * day;
    await transact(pool, async (session) => {
      await session.script(`LOCK TABLE ${schema}.mr_inbox IN ACCESS SHARE MODE`);
      expect([await handle(0, "old", old), await handle(1, "old", old)]).toEqual(["committed", "already"]);
    });
    expect(await ids("mr_inbox_far")).toEqual(["old"]);
    await tidy();
    expect(await handle(2, "old", old)).toBe("already");
    await clock.advance(40 * day);
    await tidy();
    expect(await ids("mr_inbox_far")).toEqual([]);
  });
});
