import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import type pg from "pg";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import { embedded } from "../embedded/embedded.js";
import type { OpenEngine } from "../engine/engine.js";
import type { LogRecord } from "../log/log.js";
import { Core } from "../postgres/core.js";
import { createInspect } from "../postgres/inspect.js";
import { postgresLog } from "../postgres/log.js";
import { createOperate } from "../postgres/operate.js";
import { systemClock } from "../runtime/clock.js";
import { silentLogger } from "../runtime/logger.js";
import { systemRandom } from "../runtime/random.js";
import type { Inspect } from "../store/inspect.js";
import type { Position } from "../store/unit.js";
import { act, appended, enteredAs, handled, later, registered } from "../testing/conformance/operators-scene.js";
import {
  checkedConsumer,
  checkedService,
  checkedStreams,
  checkedTopic,
  ensureThings,
  indexedThing,
  newRecord,
  recordClaim,
  unitOf,
  writing,
} from "../testing/conformance/units.js";
import { endTrials, otherProgram, tempFolder } from "../testing/trial.js";
import { trialDatabase } from "../testing/trial-database.js";
import { freshSchema, trialPool } from "../testing/trial-store.js";
import { migrateEngine, planMigration } from "./migrate-engine.js";

const database = await trialDatabase();
const url = database?.url ?? "";
const pool = trialPool(url);
const context = { clock: systemClock, random: systemRandom, logger: silentLogger };
const topic = { name: checkedTopic, partitions: 2, owner: checkedService, key: "k", retentionMs: undefined };

/** By how many statements each killed move comes further: odd, so that they die before one and behind one in turn. */
const stride = 3;

/** Everything that an engine can hold. */
async function filled(events: number): Promise<string> {
  const dir = tempFolder();
  const on = await embedded(dir).open(context);
  await on.log.ensureTopic(topic);
  await on.log.ensureTopic({ ...topic, name: checkedStreams, streams: true });
  const scene = { ...ports(on), close: () => on.close() };
  const records = await appended(
    scene,
    Array.from({ length: events }, (_, n) => `e${n}`),
    (_, n) => ({
      ...{ partition: n % 2, key: `k${n % 7}` },
      ...(n % 5 === 0 ? { data: Uint8Array.of(0xff, n % 256) } : {}),
    }),
  );
  const [first, second] = (await registered(scene)) as [Position, Position];
  const of = (partition: number) => records.filter((record) => record.partition === partition);
  for (const record of of(0).slice(0, 8)) await handled(scene, { position: first, record });
  for (const record of [of(1)[1]!, of(1)[3]!, of(1)[4]!]) await handled(scene, { position: second, record });
  const entries: number[] = [];
  for (const record of of(0).slice(8, 14)) entries.push(await enteredAs(scene, { position: first, record }));
  await on.operate.skip([entries[0]!], act);
  await on.operate.edit({ entry: entries[1]!, id: "edited", data: '{"a":1}', version: 1 }, act);
  await on.operate.redrive([entries[2]!], act);
  await on.operate.createJob({ entries: entries.slice(3), selection: "all", force: false }, act);
  await on.operate.advanceJobs(act.at);
  await on.operate.pause(checkedConsumer, act);
  await ensureThings(on.store);
  const things = Array.from({ length: 2_500 }, (_, n) =>
    indexedThing(`t${n}`, { group: n % 3 === 0 ? n : `g${n % 5}`, mail: `m${n}` }),
  );
  for (let at = 0; at < things.length; at += 500) await on.store.commit([writing(things.slice(at, at + 500))], []);
  for (const version of [0, 1, 2]) {
    const record = newRecord(`s${version}`, {
      topic: checkedStreams,
      key: "s",
      partition: 1,
      headers: { sequence: version + 1 },
    });
    const stream = { topic: checkedStreams, key: "s", version };
    await on.store.commit([{ ...unitOf({ type: "publish" }, { records: [record] }), stream }], []);
  }
  const timer = {
    service: checkedService,
    name: "soon",
    due: act.at,
    record: newRecord("rings", { correlationId: "flow" }),
  };
  const armed = { consumer: checkedConsumer, topic: checkedTopic, partition: 0, offset: of(0)[3]!.offset };
  await on.store.commit([unitOf({ type: "publish" }, { timers: [{ ...timer, armed }] })], []);
  const operation = { id: "op", command: "do-it", key: "k", correlationId: "op", fingerprint: "f" };
  await on.store.commit(
    [unitOf({ type: "operation", operation: { ...operation, idempotency: { scope: "s", key: "i" } } }, {})],
    [],
  );
  const published = [newRecord("op-done", { partition: 1 })];
  await on.store.commit(
    [unitOf({ type: "publish" }, { result: { operation: "op", state: "committed" }, records: published })],
    [],
  );
  await on.store.ensureSchedule({ service: checkedService, schedule: "nightly", cron: "0 0 * * *", next: 7 });
  await on.store.ensureBuild(checkedService, "view", 1);
  await on.operate.rebuild({ service: checkedService, name: "view", version: 1 }, later(1));
  await on.close();
  return dir;
}

const ports = ({ log, store, inspect, operate }: OpenEngine) => ({ log, store, inspect, operate });

async function allEvents(inspect: Inspect): Promise<LogRecord[]> {
  const found: LogRecord[] = [];
  for (let after: string | undefined; ; ) {
    const { events, next } = await inspect.events({ limit: 1_000, ...(after === undefined ? {} : { after }) });
    found.push(...events);
    if (next === undefined) return found.sort((a, b) => (a.id < b.id ? -1 : 1));
    after = next;
  }
}

/** What operators see, with numbers of rows and places in the log as both engines could have them. */
async function seen(inspect: Inspect): Promise<unknown> {
  const [consumer] = await inspect.consumers(0);
  const entries = await inspect.entries({ limit: 1_000 });
  const events = await allEvents(inspect);
  const deliveries = new Map<string, unknown>();
  for (const event of events.slice(0, 90))
    deliveries.set(
      event.id,
      (await inspect.deliveries(event)).map(({ state }) => state),
    );
  const [job] = await inspect.jobs(10);
  const operation = await inspect.operation("op");
  return {
    topics: (await inspect.topics())
      .map(({ name, partitions, records, streams }) => [name, partitions, records, streams])
      .sort(),
    events: events
      .map(({ id, partition, key, source, type, time, data, bytes, headers }) => ({
        ...{ id, partition, key, source, type, time, data, headers },
        bytes: bytes === undefined ? "" : Buffer.from(bytes).toString("hex"),
      }))
      .sort((a, b) => (a.id < b.id ? -1 : 1)),
    deliveries: [...deliveries].sort(([a], [b]) => (a < b ? -1 : 1)),
    consumer: [consumer?.consumer, consumer?.lagRecords, consumer?.dead, consumer?.parked, consumer?.paused?.reason],
    generations: consumer?.positions.map(({ partition, generation }) => [partition, generation]),
    entries: entries.map(({ lane, state, attempt, redrives, failure, record }) => [
      lane,
      state,
      attempt,
      redrives,
      failure?.code,
      record.id,
    ]),
    amendments: (await inspect.amendments()).map(({ act: how, id, data, version, reason }) => [
      how,
      id,
      data,
      version,
      reason,
    ]),
    documents: (await inspect.documents({ service: checkedService, type: "things", limit: 10_000 })).map(
      ({ id, text, schema }) => [id, text, schema],
    ),
    group: (
      await inspect.documents({ service: checkedService, type: "things", field: "group", value: "g1", limit: 10_000 })
    ).map(({ id }) => id),
    numbers: (
      await inspect.documents({ service: checkedService, type: "things", field: "group", value: 33, limit: 10 })
    ).map(({ id }) => id),
    stream: (await inspect.stream({ topic: checkedStreams, key: "s", after: 0, limit: 10 })).records.map(
      ({ id, headers }) => [id, headers],
    ),
    timers: (await inspect.timers("flow", 10)).map(({ name, due, armed }) => [name, due, armed?.consumer]),
    operation: [operation?.state, operation?.fingerprint, operation?.events?.map(({ id }) => id)],
    schedules: await inspect.schedules(),
    builds: (await inspect.builds()).map(({ name, version, build, state }) => [name, version, build, state]),
    audit: (await inspect.audit(100)).map(({ act: verb, actor, at }) => [verb, actor, at]),
    job: [job?.job, job?.kind, job?.state, job?.items, job?.reason],
  };
}

/** The new engine over what was moved. */
async function opened(schema: string, connections: pg.Pool = pool) {
  const log = await postgresLog({ pool: connections, schema: `${schema}_log` }).open(context);
  const core = new Core({ pool: connections, shared: schema, context, member: "next", dueJobs: async () => undefined });
  await core.open();
  const parts = {
    pool: connections,
    shared: schema,
    log,
    now: () => systemClock.now(),
    ring: () => {},
    left: () => {},
  };
  const close = async () => {
    await core.close();
    await log.close();
  };
  return { log, store: core.store, inspect: createInspect(parts), operate: createOperate(parts), close };
}

async function before(dir: string): Promise<unknown> {
  const engine = await embedded(dir).open(context);
  try {
    return await seen(engine.inspect);
  } finally {
    await engine.close();
  }
}

async function move(dir: string, schema: string, more: object = {}) {
  const log = await postgresLog({ pool, schema: `${schema}_log` }).open(context);
  try {
    return await migrateEngine({ dir, log, pool, schema, now: systemClock.now(), ...more });
  } finally {
    await log.close();
  }
}

if (database === undefined) console.info("skipped: an engine moved to PostgreSQL, there is none");
describe.skipIf(database === undefined)("an embedded engine that is moved to PostgreSQL", () => {
  afterEach(endTrials);
  afterAll(async () => {
    await pool.end();
    await database?.drop();
  });

  it("is there as it was, whole, and goes on", async () => {
    const dir = await filled(80);
    const schema = freshSchema();
    expect(planMigration(dir)).toMatchObject({
      topics: [{ records: 81 }, { records: 3 }],
      services: [{ service: checkedService }],
      ownTables: [],
    });
    const { topics, schemas } = await move(dir, schema);
    expect(topics).toMatchObject([
      { records: 81, before: 0 },
      { records: 3, before: 0 },
    ]);
    expect(schemas[0]?.tables).toMatchObject({
      mr_documents: 2_500,
      mr_lane_entries: 5,
      mr_timers: 1,
      mr_stream_events: 3,
    });
    const on = await opened(schema);
    expect(await seen(on.inspect)).toEqual(await before(dir));
    const incarnation = (await on.log.topics()).find(({ name }) => name === checkedTopic)?.incarnation ?? "";
    const heard = [{ topic: checkedTopic, incarnation, types: ["thing.done"], start: [0, 0] }];
    const positions = await on.store.acquire({ consumer: checkedConsumer, service: checkedService, topics: heard });
    const position = positions.find(({ partition }) => partition === 0) as Position;
    const [parked] = await on.inspect.entries({ state: "parked", limit: 1 });
    const { entry, attempt, redrives } = parked!;
    const claim = { type: "lane-entry", position, entry, attempt, redrives } as const;
    const next = unitOf(recordClaim(position, position.frontier), { timers: [], records: [newRecord("new")] });
    expect((await on.store.commit([unitOf(claim, {}), next], [])).map(({ type }) => type)).toEqual([
      "committed",
      "committed",
    ]);
    const [made] = await on.store.commit(
      [unitOf(recordClaim(position, position.frontier + 1), { entry: { ...parked!, lane: "another" } })],
      [],
    );
    expect(made).toMatchObject({ type: "committed", entry: expect.any(Number) });
    await on.close();
  });

  it("is moved once: again, it is found there, and something else is not overwritten", async () => {
    const dir = await filled(30);
    const schema = freshSchema();
    await move(dir, schema);
    const again = await move(dir, schema);
    expect(again.topics).toMatchObject([
      { records: 31, before: 31 },
      { records: 3, before: 3 },
    ]);
    expect(again.schemas.every((one) => one.before)).toBe(true);
    const other = await filled(31);
    await expect(move(other, schema)).rejects.toMatchObject({ code: "CONFLICT" });
  });

  it("is refused while its app runs, and while services have tables of their own", async () => {
    const dir = await filled(40);
    const program = new URL("../embedded/owner-process.js", import.meta.url).pathname;
    const owner = spawn(process.execPath, [program, dir], { stdio: ["ignore", "pipe", "inherit"] });
    await once(createInterface({ input: owner.stdout }), "line");
    expect(() => planMigration(dir)).toThrow(expect.objectContaining({ code: "STORE_OWNED" }));
    owner.kill("SIGKILL");
    await once(owner, "close");
    otherProgram(dir, (file) => file.exec("CREATE TABLE reports(id TEXT)"));
    expect(planMigration(dir).ownTables).toEqual(["reports"]);
    const schema = freshSchema();
    await expect(move(dir, schema)).rejects.toMatchObject({
      code: "CONFLICT",
      message: expect.stringContaining("reports"),
    });
    expect((await move(dir, schema, { withoutTables: true })).schemas).toHaveLength(2);
  });

  it("is there as it was, however often the move is killed on its way", async () => {
    const dir = await filled(1_500);
    const schema = freshSchema();
    const expected = await before(dir);
    const deaths: string[] = [];
    // Each run comes one statement further, counted from its start, until one comes to its end.
    for (let nth = 1; ; nth += stride) {
      const said = await moving(dir, schema, nth);
      if (said === "moved 2") break;
      expect(said).toMatch(/^dies at /);
      deaths.push(said);
    }
    expect(deaths.length).toBeGreaterThan(20);
    const points = ["COMMIT", "the answer of COMMIT", "mr_append", "json", "mr_schema", "mr_moved"];
    for (const point of points) expect(deaths.some((death) => death.includes(point))).toBe(true);
    const on = await opened(schema);
    expect(await seen(on.inspect)).toEqual(expected);
    await on.close();
  }, 120_000);
});

/** A process that moves, and dies at its nth statement to PostgreSQL; what it said last. */
async function moving(dir: string, schema: string, nth: number): Promise<string> {
  const program = new URL("./moving-process.js", import.meta.url).pathname;
  const faults = new URL("../testing/faults-process.js", import.meta.url).href;
  const child = spawn(process.execPath, ["--import", faults, program, dir, url, schema], {
    stdio: ["ignore", "pipe", "inherit"],
    env: { ...process.env, MILLRACE_FAULTS: JSON.stringify({ postgres: true, deathAtQuery: nth }) },
  });
  let said = "";
  createInterface({ input: child.stdout }).on("line", (line) => {
    said = line;
  });
  await once(child, "close");
  return said;
}
