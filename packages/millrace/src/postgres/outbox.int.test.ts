import type pg from "pg";
import { afterAll, afterEach, beforeEach, describe, expect, it } from "vitest";
import type { NewRecord } from "../log/log.js";
import type { OutboxLease, OutboxPage } from "../store/outbox.js";
import { type TrialOutbox, trialOutbox } from "../testing/trial-outbox.js";
import type { PostgresOutbox } from "./outbox.js";

const trial = await trialOutbox();
afterAll(() => trial?.close());

const { pool, place, insert, outbox: outboxOf } = trial ?? ({} as TrialOutbox);
const schema = place?.schema;
const limit = { recordsMax: 1_000, bytesMax: 4 * 1024 * 1024 };

function record(id: string, { key = "k", data = "{}" } = {}): NewRecord {
  return {
    ...{ topic: "orders", partition: 0, id, source: "shop", type: "order.placed", version: 1, key, time: 7, data },
    ...{ correlationId: undefined, causationId: undefined, hops: 0, headers: undefined, named: false, offset: -1 },
  };
}
const ids = ({ records }: OutboxPage) => records.map(({ id }) => id);
const numbered = (prefix: string, count: number) => Array.from({ length: count }, (_, n) => `${prefix}-${n}`);

async function commit(...names: readonly string[]): Promise<void> {
  const client = await begin();
  await insert(
    client,
    names.map((name) => record(name)),
  );
  await end(client, "COMMIT");
}

const begun = new Set<pg.PoolClient>();

async function begin(): Promise<pg.PoolClient> {
  const client = await pool.connect();
  await client.query("BEGIN");
  begun.add(client);
  return client;
}

async function end(client: pg.PoolClient, how: "COMMIT" | "ROLLBACK"): Promise<void> {
  await client.query(how);
  begun.delete(client);
  client.release();
}

afterEach(() => {
  for (const client of begun) client.release(true);
  begun.clear();
});

async function leaseOf(outbox: PostgresOutbox): Promise<OutboxLease> {
  const { held } = await outbox.leases();
  return held.find(({ shard }) => shard === "shop") as OutboxLease;
}

/** Sends what there is, a page at a time. */
async function drain(outbox: PostgresOutbox, lease: OutboxLease, recordsMax = 1_000): Promise<string[]> {
  const sent: string[] = [];
  for (;;) {
    const page = await outbox.next(lease, { ...limit, recordsMax });
    if (page.records.length === 0) return sent;
    sent.push(...ids(page));
    await outbox.sent(lease, page);
  }
}

beforeEach(async () => {
  if (trial === undefined) return;
  await pool.query(`TRUNCATE ${schema}.mr_outbox`);
  await pool.query(`UPDATE ${schema}.mr_relay SET owner = '', epoch = 0, expires = '-infinity', current = NULL, position = 0,
    high = 0, previous = pg_current_snapshot()`);
});

if (trial === undefined) console.info("skipped: no PostgreSQL");
describe.skipIf(trial === undefined)("the outbox by snapshot difference", () => {
  it("hands out what was committed, in publish order, once it is noted only what came later", async () => {
    const outbox = outboxOf("a");
    const lease = await leaseOf(outbox);
    await commit("1", "2", "3");
    const client = await begin();
    await insert(client, [record("undone")]);
    await end(client, "ROLLBACK");
    await commit("4");
    const page = await outbox.next(lease, limit);
    expect(page.records[0]).toEqual(record("1"));
    expect(page.waitedMs).toBeLessThan(10_000);
    expect(ids(page)).toEqual(["1", "2", "3", "4"]);
    expect(ids(await outbox.next(lease, limit))).toEqual(["1", "2", "3", "4"]);
    await outbox.sent(lease, page);
    expect(ids(await outbox.next(lease, limit))).toEqual([]);
    await commit("5");
    expect(await drain(outbox, lease)).toEqual(["5"]);
  });

  it("loses no event that is committed behind younger ones, and none of a part that was taken back", async () => {
    const outbox = outboxOf("a");
    const lease = await leaseOf(outbox);
    const late = await begin();
    await insert(late, [record("late-1")]);
    await late.query("SAVEPOINT part");
    await insert(late, [record("taken back")]);
    await late.query("ROLLBACK TO part");
    await late.query("SAVEPOINT other");
    await insert(late, [record("late-2")]);
    await commit("early-1");
    expect(await drain(outbox, lease)).toEqual(["early-1"]);
    await commit("early-2");
    expect(await drain(outbox, lease)).toEqual(["early-2"]);
    await end(late, "COMMIT");
    await commit("early-3");
    expect(await drain(outbox, lease)).toEqual(["late-1", "late-2", "early-3"]);
  });

  it("keeps the order of a key whose second writer had its transaction number first", async () => {
    const outbox = outboxOf("a");
    const lease = await leaseOf(outbox);
    await pool.query("CREATE TABLE IF NOT EXISTS accounts(id text PRIMARY KEY)");
    await pool.query("INSERT INTO accounts VALUES ('k') ON CONFLICT DO NOTHING");
    const [second, first] = [await begin(), await begin()];
    await second.query("SELECT pg_current_xact_id()");
    await first.query("SELECT FROM accounts WHERE id = 'k' FOR UPDATE");
    const waiting = second.query("SELECT FROM accounts WHERE id = 'k' FOR UPDATE");
    await insert(first, [record("first")]);
    await end(first, "COMMIT");
    await waiting;
    await insert(second, [record("second")]);
    await end(second, "COMMIT");
    expect(await drain(outbox, lease)).toEqual(["first", "second"]);
  });

  it("hands a successor the same page in the same order, whatever was committed meanwhile", async () => {
    const dying = outboxOf("dying", { leaseMs: 100 });
    const lease = await leaseOf(dying);
    const late = await begin();
    await insert(late, [record("late")]);
    await commit("1", "2", "3", "4");
    const half = await dying.next(lease, { ...limit, recordsMax: 2 });
    await dying.sent(lease, half);
    const rest = await dying.next(lease, { ...limit, recordsMax: 2 });
    await end(late, "COMMIT");
    await commit("5");
    const next = outboxOf("next");
    await expect.poll(() => leaseOf(next)).toBeDefined();
    const taken = await leaseOf(next);
    expect([taken.epoch, lease.epoch]).toEqual([2, 1]);
    expect([ids(half), ids(rest)]).toEqual([
      ["1", "2"],
      ["3", "4"],
    ]);
    const again = await next.next(taken, limit);
    expect(ids(again)).toEqual(["3", "4"]);
    await next.sent(taken, again);
    expect(await drain(next, taken)).toEqual(["late", "5"]);
  });

  it("fences whoever was taken for dead, in everything it does", async () => {
    const dying = outboxOf("dying", { leaseMs: 50 });
    const lease = await leaseOf(dying);
    await commit("1");
    const page = await dying.next(lease, limit);
    const next = outboxOf("next");
    await expect.poll(() => leaseOf(next)).toBeDefined();
    const fenced = { code: "FENCED" };
    await expect(dying.sent(lease, page)).rejects.toMatchObject(fenced);
    await expect(dying.next(lease, limit)).rejects.toMatchObject(fenced);
    await expect(dying.backlog(lease)).rejects.toMatchObject(fenced);
    expect(await leaseOf(dying)).toBeUndefined();
    expect(await drain(next, await leaseOf(next))).toEqual(["1"]);
  });

  it("notes a page once, also when it is told twice", async () => {
    const outbox = outboxOf("a");
    const lease = await leaseOf(outbox);
    await commit("1", "2");
    const first = await outbox.next(lease, { ...limit, recordsMax: 1 });
    await outbox.sent(lease, first);
    await outbox.sent(lease, first);
    const last = await outbox.next(lease, limit);
    await outbox.sent(lease, last);
    await outbox.sent(lease, last);
    await commit("3");
    expect([ids(first), ids(last), await drain(outbox, lease)]).toEqual([["1"], ["2"], ["3"]]);
  });

  it("bounds pages by records and by bytes, but for a single event", async () => {
    const outbox = outboxOf("a");
    const lease = await leaseOf(outbox);
    const client = await begin();
    const data = JSON.stringify("x".repeat(100_000));
    await insert(client, [record("small"), ...numbered("large", 4).map((id) => record(id, { data })), record("last")]);
    await end(client, "COMMIT");
    const sizes: number[] = [];
    for (;;) {
      const page = await outbox.next(lease, { recordsMax: 3, bytesMax: 150_000 });
      if (page.records.length === 0) break;
      sizes.push(page.records.length);
      await outbox.sent(lease, page);
    }
    expect(sizes).toEqual([3, 2, 1]);
  });

  it("reads a window of many rows in order, past rows of other windows", async () => {
    const outbox = outboxOf("a");
    const lease = await leaseOf(outbox);
    const client = await begin();
    await insert(client, [record("first")]);
    await commit(...numbered("sent", 5));
    expect(await drain(outbox, lease)).toHaveLength(5);
    await client.query(
      `INSERT INTO ${schema}.mr_outbox(topic, partition, key, id, source, correlation, committed, record)
       SELECT 'orders', 0, 'k', 'e-' || n, 'shop', 'c', $1, '{"type":"a.b","version":1,"time":1,"hops":0,"data":"{}"}'
       FROM generate_series(1, 30000) AS n`,
      [Date.now()],
    );
    const later = await begin();
    await insert(later, [record("later")]);
    await end(client, "COMMIT");
    const sent = await drain(outbox, lease, 4_000);
    expect(sent).toEqual(["first", ...Array.from({ length: 30_000 }, (_, n) => `e-${n + 1}`)]);
    await end(later, "COMMIT");
    expect(await drain(outbox, lease)).toEqual(["later"]);
  });

  it("writes nothing while there is nothing", async () => {
    const outbox = outboxOf("a");
    const lease = await leaseOf(outbox);
    const rowOf = async () => (await pool.query(`SELECT xmin::text, * FROM ${schema}.mr_relay`)).rows[0];
    const before = await rowOf();
    for (let turn = 0; turn < 3; turn += 1) expect(await drain(outbox, lease)).toEqual([]);
    expect(await rowOf()).toEqual(before);
  });

  it("says what waits, and for how long", async () => {
    const outbox = outboxOf("a");
    const lease = await leaseOf(outbox);
    expect(await outbox.backlog(lease)).toEqual({ shard: "shop", records: 0, waitedMs: 0 });
    await commit("1", "2", "3");
    await outbox.sent(lease, await outbox.next(lease, { ...limit, recordsMax: 1 }));
    await commit("4");
    await expect.poll(() => outbox.backlog(lease)).toMatchObject({ records: 3, waitedMs: expect.any(Number) });
    await drain(outbox, lease);
    expect(await outbox.backlog(lease)).toMatchObject({ records: 0 });
  });
});
