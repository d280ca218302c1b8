import { afterAll, afterEach, describe, expect, it, vi } from "vitest";
import { z } from "zod";
import { localAdmin } from "../admin/local.js";
import { event } from "../contract/event.js";
import { topic } from "../contract/topic.js";
import { engine } from "../outbox/engine.js";
import { rowChanges } from "../projection/changes.js";
import { projection } from "../projection/projection.js";
import { sqlProjection } from "../projection/sql.js";
import { service } from "../service/declare.js";
import { trialDatabase } from "../testing/trial-database.js";
import { endRealTrials, type RealTrial, realTrial } from "../testing/trial-real.js";
import { freshSchema, trialPool } from "../testing/trial-store.js";
import { postgresLog } from "./log.js";
import { postgresStore } from "./postgres-store.js";

const database = await trialDatabase();
const pool = trialPool(database?.url ?? "");

const steps = topic("steps", {
  key: "id",
  partitions: 3,
  events: { added: event("step.added", z.object({ id: z.string(), n: z.int() })) },
});
const sums = projection("sums", { version: 1, row: z.object({ sum: z.int() }), indexes: ["sum"] }).on(
  steps.added,
  (row = { sum: 0 }, { data }) => {
    folding();
    return { sum: row.sum + data.n };
  },
);
let folding = () => {};
const tally = sqlProjection("tally", { version: 1, tables: { steps: "(id TEXT PRIMARY KEY, n INTEGER)" } }).on(
  steps.added,
  ({ data }, { sql, tables }) =>
    sql`INSERT INTO ${tables.steps} AS s VALUES (${data.id}, 1) ON CONFLICT (id) DO UPDATE SET n = s.n + 1`,
);
const started = (schema: string) =>
  realTrial({
    engine: engine({ log: postgresLog({ pool, schema: `${schema}_log` }), store: postgresStore({ pool, schema }) }),
    services: [service("owner").owns(steps), service("views").owns(sums, tally)],
  });
const added = () => Array.from({ length: 60 }, (_, n) => steps.added({ id: `k-${n % 20}`, n: 1 }));

function adminOf({ app, running }: RealTrial) {
  const now = () => running.clock.now();
  const stopping = new AbortController().signal;
  return localAdmin({ inspect: running.engine.inspect, dir: undefined, now, stopping, live: { app, running } });
}

async function expectRows(t: RealTrial, times: number): Promise<void> {
  await vi.waitFor(
    async () => {
      expect((await t.app.projection(sums).find({ sum: times }, { limit: 100 })).rows).toHaveLength(20);
      expect(await t.app.query`SELECT id FROM ${tally.tables.steps} WHERE n = ${times}`).toHaveLength(20);
    },
    { timeout: 20_000, interval: 50 },
  );
  await t.app.settled();
  expect(await adminOf(t).verifyProjection({ projection: "sums" })).toMatchObject({ equal: true });
}

if (database === undefined) console.info("skipped: projections on PostgreSQL, there is none");
describe.skipIf(database === undefined)("a projection on PostgreSQL", () => {
  afterEach(endRealTrials);
  afterAll(async () => {
    await pool.end();
    await database?.drop();
  });

  it("that is forgotten by force is built anew in rows of its own, in every process that declares it", {
    timeout: 90_000,
  }, async () => {
    const schema = freshSchema();
    const [one, other] = [await started(schema), await started(schema)];
    await one.app.publish(added());
    await expectRows(one, 3);
    const act = { actor: "ann", reason: "a test", force: true };
    for (const consumer of ["views.sums@1", "views.tally@1"])
      expect(await adminOf(one).forget({ ...act, consumer })).toMatchObject({ changed: 1 });
    await expectRows(one, 3);
    await other.app.publish(added());
    await expectRows(other, 6);
    expect((await one.running.engine.inspect.builds()).map(({ name, build, state }) => [name, build, state])).toEqual([
      ["sums", 1, "dropped"],
      ["sums", 2, "live"],
      ["tally", 1, "dropped"],
      ["tally", 2, "live"],
    ]);
  });

  it("tells what has changed while a transaction that is older goes on, each commit once", {
    timeout: 60_000,
  }, async () => {
    const t = await started(freshSchema());
    const somebody = await pool.connect();
    await somebody.query("BEGIN; SELECT pg_current_xact_id()");
    const stopping = new AbortController();
    const changes = t.app.projection(sums).subscribe({ signal: stopping.signal })[Symbol.asyncIterator]();
    const heard = async () => {
      const { value } = await changes.next();
      return value?.type === "row" ? value.row : value?.type;
    };
    expect(await heard()).toBe("ready");
    await t.app.publish(steps.added({ id: "k", n: 1 }));
    expect(await heard()).toEqual({ sum: 1 });
    await somebody.query("COMMIT");
    somebody.release();
    await t.app.publish(steps.added({ id: "k", n: 10 }));
    expect(await heard()).toEqual({ sum: 11 });
    stopping.abort();
    expect(await heard()).toBe(undefined);
  });

  it("tells a commit that was under way when the store forgot later ones", { timeout: 60_000 }, async () => {
    const schema = freshSchema();
    const t = await started(schema);
    const somebody = await pool.connect();
    await somebody.query("BEGIN");
    const { rows } = await somebody.query("SELECT pg_current_xact_id()::text AS commit");
    await t.app.publish(added());
    await expectRows(t, 3);
    const type = "sums@1";
    await pool.query(`UPDATE ${schema}_views.mr_document_changes SET ids = '' WHERE type = $1`, [type]);
    const changes = t.app
      .projection(sums)
      .subscribe({ signal: AbortSignal.timeout(20_000) })
      [Symbol.asyncIterator]();
    expect((await changes.next()).value).toMatchObject({ type: "ready" });
    const late = `INSERT INTO ${schema}_views.mr_document_changes VALUES ($1, $2, '["late"]')`;
    await somebody.query(late, [type, rows[0].commit]);
    await somebody.query("COMMIT");
    somebody.release();
    expect((await changes.next()).value).toMatchObject({ type: "row", id: "late" });
  });

  it("is looked at less often while a transaction that stays open has its changes read again", {
    timeout: 60_000,
  }, async () => {
    const schema = freshSchema();
    const t = await started(schema);
    const type = "sums@1";
    const waits: number[] = [];
    const stopping = new AbortController();
    const host = {
      ...{ name: "sums", store: t.running.engine.store, service: "views", type: () => type },
      clock: {
        after(ms: number, run: () => void) {
          waits.push(ms);
          const waiting = setImmediate(run);
          return () => clearImmediate(waiting);
        },
      },
    };
    const somebody = await pool.connect();
    await somebody.query("BEGIN; SELECT pg_current_xact_id()");
    const changes = rowChanges(host, { signal: stopping.signal });
    await changes.next();
    const ended = changes.next();
    await vi.waitFor(() => expect(waits.at(-1)).toBe(50), 20_000);
    const many = "SELECT $1, pg_current_xact_id()::text::bigint + n, '[]' FROM generate_series(1, 400) AS n";
    await pool.query(`INSERT INTO ${schema}_views.mr_document_changes ${many}`, [type]);
    await vi.waitFor(() => expect(waits.at(-1)).toBe(250), 20_000);
    await somebody.query("COMMIT");
    somebody.release();
    for (let n = 0; n < 500; n += 1) await pool.query("SELECT pg_current_xact_id()");
    await vi.waitFor(() => expect(waits.at(-1)).toBe(50), 20_000);
    stopping.abort();
    expect(await ended).toMatchObject({ done: true });
  });

  it("is verified whole, though a transaction that is older than its rows ends meanwhile", {
    timeout: 60_000,
  }, async () => {
    const t = await started(freshSchema());
    const somebody = await pool.connect();
    await somebody.query("BEGIN; SELECT pg_current_xact_id()");
    await t.app.publish(added());
    await expectRows(t, 3);
    let ended: Promise<unknown> | undefined;
    folding = () => {
      ended ??= somebody.query("COMMIT");
    };
    const verified = await adminOf(t).verifyProjection({ projection: "sums" });
    expect(ended).toBeDefined();
    await ended;
    somebody.release();
    expect(verified).toMatchObject({ equal: true, rows: 20, changed: 0 });
  });
});
