import { afterAll, afterEach, beforeEach, describe, expect, it } from "vitest";
import { silentLogger } from "../runtime/logger.js";
import type { Position } from "../store/unit.js";
import { act, appended, later } from "../testing/conformance/operators-scene.js";
import { checkedConsumer, checkedService, checkedTopic, newRecord, unitOf } from "../testing/conformance/units.js";
import { trialDatabase } from "../testing/trial-database.js";
import { openTrialOperators, type TrialOperators } from "../testing/trial-operators.js";
import { trialPool } from "../testing/trial-store.js";
import { virtualClock } from "../testing/virtual-clock.js";
import { Hygiene, keepingDefault } from "./hygiene.js";
import { dayOf } from "./names.js";
import { inboxDays, outboxDays, readDays } from "./partitions.js";
import { withSession } from "./session.js";

const database = await trialDatabase();
const pool = trialPool(database?.url ?? "");
const day = 86_400_000;
const start = Date.UTC(2030, 0, 1, 12);
let clock = virtualClock();
let on: TrialOperators;
let schema: string;

const hygiene = () => new Hygiene({ ...on.parts, clock, logger: silentLogger, keeping: keepingDefault });
/** Turns until nothing is left to do. */
async function tidy(): Promise<void> {
  const own = hygiene();
  for (let turns = 0; turns < 100; turns += 1) if (!(await own.turn())) return;
  throw new Error("it never came to an end");
}
/** The partitions, as days before today or after it. */
async function days(daily: typeof inboxDays): Promise<number[]> {
  const today = dayOf(clock.now());
  return withSession(pool, async (session) => (await readDays(session, schema, daily)).map((one) => one - today));
}
const rows = async (text: string, ...values: unknown[]) =>
  (await pool.query(text.replaceAll("$schema", schema), values)).rows;
/** The relay has sent all that was committed. */
const relayed = () =>
  rows(`UPDATE $schema.mr_relay SET previous = pg_current_snapshot(),
    cluster = (SELECT system_identifier::text FROM pg_control_system())`);

/** Publishes, and handles an event of the log, today. */
async function work(name: string): Promise<Position> {
  on.log.now = clock.now();
  const [record] = await appended(on, [name], () => ({ time: clock.now() }));
  const topics = [{ topic: checkedTopic, incarnation: "one", types: ["thing.done"], start: [0, 0] }];
  const positions = await on.store.acquire({ consumer: checkedConsumer, service: checkedService, topics });
  const position = positions.find(({ partition }) => partition === 0) as Position;
  const { source, id, offset, time, appended: at } = record!;
  const events = [{ source, id, time, appended: at }];
  const claim = { type: "record", position, start: offset, offset, events } as const;
  const [outcome] = await on.store.commit([unitOf(claim, { records: [newRecord(`${name}-out`)] })], []);
  expect(outcome?.type).toBe("committed");
  return position;
}

if (database === undefined) console.info("skipped: retention in PostgreSQL, there is none");
describe.skipIf(database === undefined)("what is old in PostgreSQL", () => {
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

  it("goes by whole days, and the days to come are there before they begin", async () => {
    await work("a");
    await tidy();
    expect([await days(inboxDays), await days(outboxDays)]).toEqual([
      [0, 1, 2],
      [0, 1, 2],
    ]);
    await clock.advance(40 * day);
    await work("b");
    await relayed();
    await tidy();
    expect([await days(inboxDays), await days(outboxDays)]).toEqual([
      [0, 1, 2],
      [0, 1, 2],
    ]);
    expect(await rows("SELECT id FROM $schema.mr_outbox")).toEqual([{ id: "b-out" }]);
  });

  it("stays in the outbox until the relay has sent it", async () => {
    await relayed();
    await work("a");
    await clock.advance(5 * day);
    await tidy();
    expect(await days(outboxDays)).toContain(-5);
    await relayed();
    await tidy();
    expect(await days(outboxDays)).toEqual([0, 1, 2]);
  });

  it("stays in the outbox while the relay knows another cluster", async () => {
    await work("a");
    await relayed();
    await rows("UPDATE $schema.mr_relay SET cluster = 'restored elsewhere'");
    await clock.advance(5 * day);
    await tidy();
    expect(await days(outboxDays)).toContain(-5);
  });

  it("stays in the inbox while a consumer may meet copies of it: until it has come past the window, or to the end", async () => {
    const position = await work("a");
    await clock.advance(60 * day);
    on.log.now = clock.now();
    const [waits] = await appended(on, ["waits"]);
    await tidy();
    expect(await days(inboxDays)).toContain(-60);
    const { offset } = waits!;
    const events = [{ source: "s", id: "waits", time: clock.now(), appended: clock.now() }];
    const claim = { type: "record", position, start: offset, offset, events } as const;
    await on.store.commit([unitOf(claim, {})], []);
    await tidy();
    expect(await days(inboxDays)).not.toContain(-60);
  });

  it("stays in the inbox when a consumer is moved back: its copies are met again", async () => {
    await work("a");
    await clock.advance(60 * day);
    await work("b");
    const seek = { consumer: checkedConsumer, to: { type: "beginning" }, mute: false } as const;
    await on.operate.seek(seek, act);
    await tidy();
    expect(await days(inboxDays)).toContain(-60);
  });

  it("is an operation that finished a week ago, unless its caller's id is known", async () => {
    const operation = {
      command: "do-it",
      key: "k",
      correlationId: "c",
      fingerprint: undefined,
      idempotency: undefined,
    };
    for (const id of ["done", "named", "open"]) {
      const claim = { type: "operation", operation: { ...operation, id } } as const;
      const records = id === "named" ? [newRecord("named", { source: "outside" })] : [];
      await on.store.commit([unitOf(claim, { records })], []);
      if (id !== "open")
        await on.store.commit([unitOf({ type: "publish" }, { result: { operation: id, state: "committed" } })], []);
    }
    await clock.advance(6 * day);
    await tidy();
    const left = async () =>
      (await Promise.all(["done", "named", "open"].map((id) => on.inspect.operation(id)))).map((one) => one?.state);
    expect(await left()).toEqual(["committed", "committed", "accepted"]);
    await clock.advance(2 * day);
    await tidy();
    expect(await left()).toEqual([undefined, "committed", "accepted"]);
    await clock.advance(30 * day);
    await tidy();
    await tidy();
    expect(await left()).toEqual([undefined, undefined, "accepted"]);
  });

  it("is what a dropped build has made, removed piece by piece", async () => {
    await on.store.ensureBuild(checkedService, "view", 1);
    const { build } = await on.operate.rebuild({ service: checkedService, name: "view", version: 1 }, act);
    const type = { service: checkedService, type: "view@1.2", schema: 1 };
    await on.store.ensureDocumentType({ ...type, indexes: ["n"], unique: [], indexOf: () => [] });
    await rows(`CREATE TABLE $schema.view_v1_2__items(id int); CREATE TABLE $schema.view_v1_1__items(id int)`);
    const documents = Array.from({ length: 4_500 }, (_, n) => {
      return { ...type, id: `d${n}`, text: "{}", indexed: [{ field: "n", value: n, unique: false }] };
    });
    await on.store.commit([unitOf({ type: "publish" }, { documents })], []);
    await on.operate.drop({ service: checkedService, name: "view", version: 1, build }, later(1));
    const own = hygiene();
    expect([await own.turn(), (await rows("SELECT count(*)::int AS n FROM $schema.mr_documents"))[0]?.n]).toEqual([
      true,
      4_500,
    ]);
    await own.turn();
    expect((await rows("SELECT count(*)::int AS n FROM $schema.mr_documents"))[0]?.n).toBe(2_500);
    await tidy();
    expect(await rows("SELECT 1 FROM $schema.mr_documents UNION ALL SELECT 1 FROM $schema.mr_document_index")).toEqual(
      [],
    );
    expect(await on.inspect.documentTypes()).toEqual([]);
    expect(
      await rows(
        "SELECT to_regclass('$schema.view_v1_2__items')::text AS gone, to_regclass('$schema.view_v1_1__items') IS NOT NULL AS kept",
      ),
    ).toEqual([{ gone: null, kept: true }]);
  });

  it("is removed by one process at a time, again and again", async () => {
    await work("a");
    await clock.advance(5 * day);
    await relayed();
    const running = hygiene();
    running.start();
    const turned = (ms: number) => async () => {
      await clock.advance(ms);
      return days(outboxDays);
    };
    await expect.poll(turned(1)).toEqual([0, 1, 2]);
    await clock.advance(day);
    await expect.poll(turned(60_000)).toContain(2);
    await running.close();
    const [first, second] = [hygiene(), hygiene()];
    await clock.advance(5 * day);
    expect(await Promise.all([first.turn(), second.turn(), first.turn()])).toEqual([false, false, false]);
  });
});
