import pg from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { systemClock } from "../runtime/clock.js";
import type { Position, Unit } from "../store/unit.js";
import {
  acquire,
  checkedService,
  ensureThings,
  indexedThing,
  newEntry,
  newRecord,
  outcomes,
  recordClaim,
  unitOf,
} from "../testing/conformance/units.js";
import { trialDatabase } from "../testing/trial-database.js";
import { freshSchema, openCore, published, trialPool } from "../testing/trial-store.js";
import { type TcpProxy, tcpProxy } from "../testing/trial-tcp-proxy.js";
import type { Core } from "./core.js";
import { leaseMs } from "./members.js";

const database = await trialDatabase();
const url = database?.url ?? "";
/** As it is sent: BEGIN names READ COMMITTED. */
const commit = "COMMIT\u0000";
let proxy: TcpProxy;
let pool: pg.Pool;
let core: Core;
let position: Position;
let next = 0;

beforeAll(async () => {
  if (database === undefined) return;
  proxy = await tcpProxy(url);
  pool = trialPool(proxy.url);
  core = await openCore(pool, freshSchema(), systemClock);
  await ensureThings(core.store);
  [position] = (await acquire(core.store)) as [Position, Position];
});
afterAll(async () => {
  await core?.close();
  await pool?.end();
  await proxy?.close();
  await database?.drop();
});

/** A unit of a record that writes nearly everything there is. */
function unit(): Unit {
  const offset = next;
  next += 1;
  const { offset: _, ...record } = newRecord(`timer${offset}`);
  const effects = {
    records: [newRecord(`r${offset}`, { named: false })],
    documents: [indexedThing(`d${offset}`, { mail: `m${offset}`, group: "g" })],
    timers: [{ service: checkedService, name: `t${offset}`, due: 9e15, record, armed: undefined }],
    entry: newEntry(offset, { lane: `lane${offset}` }),
  };
  return unitOf(recordClaim(position, offset), effects, { lane: `lane${offset}` });
}

/** What is not known to have been aborted is sent again: then its claims say that it was stored. */
const stored = expect.toSatisfy((type) => type === "committed" || type === "already");

/** The unit was stored once: whole, and not again when it is sent again. */
async function expectOnce(sent: Unit, types: readonly string[]): Promise<void> {
  expect(types).toEqual([stored]);
  expect(await outcomes(core.store, sent)).toEqual(["already"]);
  const offset = next - 1;
  expect((await published(pool, core)).filter((id) => id === `r${offset}`)).toHaveLength(1);
  expect(await core.store.readDocument(checkedService, "things", `d${offset}`)).toBeDefined();
}

if (database === undefined) console.info("skipped: faults of commits in PostgreSQL, there is none");
describe.skipIf(database === undefined)("a commit in PostgreSQL", () => {
  it("counts when its answer is lost: it is asked for, and nothing runs twice", async () => {
    for (let round = 0; round < 3; round += 1) {
      const sent = unit();
      const lost = proxy.loseAnswerTo(commit);
      const types = await outcomes(core.store, sent);
      await lost;
      await expectOnce(sent, types);
    }
  });

  it("is made again when the server never heard of it", async () => {
    const sent = unit();
    const lost = proxy.loseRequest(commit);
    const types = await outcomes(core.store, sent);
    await lost;
    await expectOnce(sent, types);
  });

  it("stores a direct publish once, of which nothing but the commit itself can tell", async () => {
    for (const lose of ["loseAnswerTo", "loseRequest"] as const) {
      const id = `direct ${lose}`;
      const lost = proxy[lose](commit);
      const sent = unitOf({ type: "publish" }, { records: [newRecord(id, { named: false })] });
      expect(await outcomes(core.store, sent)).toEqual([stored]);
      await lost;
      expect((await published(pool, core)).filter((one) => one === id)).toHaveLength(1);
    }
  });

  const statements = [
    ...["BEGIN", "pg_current_xact_id", "FOR UPDATE) AS a", "mr_document_unique AS u", "INSERT INTO", "DELETE FROM"],
    ...["mr_lane_entries(consumer", "mr_timers(name", "WITH documents AS"],
  ];
  it.each(statements)("is made again when its connection is cut before, and after, %s", async (text) => {
    // Each connection sends a statement's text once only.
    for (const lose of ["loseRequest", "loseAnswerTo"] as const) {
      const sent = unit();
      await freshConnections();
      const lost = proxy[lose](text);
      const types = await outcomes(core.store, sent);
      await lost;
      await expectOnce(sent, types);
    }
  });

  it("of a process that was stopped in the middle keeps nobody waiting for half a lease, and is nothing when it wakes", async () => {
    const sent = unit();
    await freshConnections();
    const frozen = proxy.freezeAt("WITH documents AS");
    const answer = outcomes(core.store, sent);
    await frozen;
    const admin = new pg.Client({ connectionString: url });
    await admin.connect();
    const place = await core.places.known(checkedService);
    const begun = performance.now();
    // What a process does that takes the partition over: it waits for whoever has the row.
    await admin.query(`UPDATE ${place?.schema}.mr_positions SET epoch = epoch + 1 WHERE position = $1`, [position.id]);
    expect(performance.now() - begun).toBeLessThan(leaseMs / 2);
    await admin.end();
    expect(await answer).toEqual(["fenced"]);
    [position] = (await acquire(core.store)) as [Position, Position];
    expect(await core.store.readDocument(checkedService, "things", `d${next - 1}`)).toBeUndefined();
  });

  it("is made again when an administrator ends the server process at any moment", async () => {
    const admin = new pg.Client({ connectionString: url });
    await admin.connect();
    let working = true;
    const killing = (async () => {
      while (working) {
        await admin.query(
          `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
           WHERE datname = current_database() AND pid <> pg_backend_pid() AND random() < 0.5`,
        );
        await admin.query("SELECT pg_sleep(0.03)");
      }
    })();
    const sent: Unit[] = [];
    try {
      for (let round = 0; round < 40; round += 1) {
        const one = unit();
        sent.push(one);
        // What could not be stored for now says so, and is sent again, unchanged.
        for (;;) {
          const type = await outcomes(core.store, one).then(
            ([first]) => first,
            () => undefined,
          );
          if (type === "committed" || type === "already") break;
          expect(type).toBeUndefined();
        }
      }
    } finally {
      working = false;
      await killing;
      await admin.end();
    }
    const ids = (await published(pool, core)).filter((id) => /^r\d+$/.test(id));
    expect(new Set(ids).size).toBe(ids.length);
    for (const one of sent) expect(ids).toContain(one.effects.records?.[0]?.id);
  });
});

/** All connections are new ones from now on. */
async function freshConnections(): Promise<void> {
  const idle = pool.idleCount;
  const clients = await Promise.all(Array.from({ length: idle }, () => pool.connect()));
  for (const client of clients) client.release(true);
}
