import pg from "pg";
import { afterAll, beforeEach, describe, expect, it } from "vitest";
import { silentLogger } from "../runtime/logger.js";
import { type TrialOutbox, trialOutbox } from "../testing/trial-outbox.js";
import { installService } from "./install.js";
import { dayOf } from "./names.js";
import { PostgresOutbox } from "./outbox.js";
import { makeDay, outboxDays } from "./partitions.js";

const trial = await trialOutbox();
afterAll(() => trial?.close());

const { pool, outbox: outboxOf } = trial ?? ({} as TrialOutbox);
const limit = { recordsMax: 1_000, bytesMax: 4 * 1024 * 1024 };
const services = ["fraud", "loyalty", "orders", "shop"];
const schemas: string[] = [];

const shardsOf = async (outbox: PostgresOutbox) => (await outbox.leases()).held.map(({ shard }) => shard);
/** What the store does every few seconds. */
const heard = (...members: readonly string[]) =>
  pool.query(
    `INSERT INTO millrace.mr_members(member, consumers) SELECT unnest($1::text[]), '[]'
     ON CONFLICT (member) DO UPDATE SET heard = clock_timestamp()`,
    [members],
  );

beforeEach(async () => {
  if (trial === undefined) return;
  for (const service of services) {
    const { schema } = await installService(pool, "millrace", { service, now: Date.now() });
    if (!schemas.includes(schema)) schemas.push(schema);
    await makeDay(pool, schema, outboxDays, dayOf(Date.now()));
    await pool.query(`UPDATE ${schema}.mr_relay SET owner = '', epoch = 0, expires = '-infinity'`);
  }
  await pool.query("TRUNCATE millrace.mr_members");
});

if (trial === undefined) console.info("skipped: no PostgreSQL");
describe.skipIf(trial === undefined)("leases of the outbox", () => {
  it("are all of a process that is alone", async () => {
    await heard("a");
    expect(await shardsOf(outboxOf("a"))).toEqual(services);
  });

  it("are shared, handed over when others wait for them, and taken at once when they were given back", async () => {
    await heard("a");
    const [a, b] = [outboxOf("a"), outboxOf("b")];
    await a.leases();
    await heard("a", "b");
    expect(await shardsOf(b)).toEqual([]);
    const { held, surplus } = await a.leases();
    expect([held.length, surplus.length]).toEqual([4, 2]);
    for (const lease of surplus) await a.release(lease);
    expect((await shardsOf(b)).length).toBe(2);
    const { held: kept, surplus: none } = await a.leases();
    expect([kept.length, none]).toEqual([2, []]);
    await pool.query("DELETE FROM millrace.mr_members WHERE member = 'b'");
    for (const lease of (await b.leases()).held) await b.release(lease);
    expect(await shardsOf(a)).toEqual(services);
  });

  it("are for others when their process was silent for long enough, by the database's clock", async () => {
    const dead = outboxOf("dead", { leaseMs: 300 });
    await dead.leases();
    const next = outboxOf("next", { leaseMs: 300 });
    expect(await shardsOf(next)).toEqual([]);
    await expect.poll(() => shardsOf(next), { timeout: 5_000 }).toEqual(services);
    await expect(dead.next({ shard: "shop", epoch: 1 }, limit)).rejects.toMatchObject({ code: "FENCED" });
  });

  it("are taken by one of many that try at the same moment", async () => {
    const members = Array.from({ length: 8 }, (_, n) => `m-${n}`);
    await heard(...members);
    const all = await Promise.all(members.map((member) => shardsOf(outboxOf(member))));
    expect(all.flat().sort()).toEqual(services);
    expect(Math.max(...all.map(({ length }) => length))).toBe(1);
  });

  it("are taken beyond the fair share when those whose share they are do not come for them, and given up when others join", async () => {
    await heard("a", "b does not relay");
    const a = outboxOf("a");
    expect((await shardsOf(a)).length).toBe(2);
    await a.leases();
    await a.leases();
    const { held, surplus } = await a.leases();
    expect([held.length, surplus]).toEqual([4, []]);
    await heard("c");
    expect((await a.leases()).surplus.length).toBe(2);
  });

  it("leave out services whose tables belong to somebody else", async () => {
    const name = `stranger_${new URL(trial?.database.url as string).pathname.slice(1)}`;
    await pool.query(`CREATE ROLE ${name} LOGIN PASSWORD 'secret'`);
    await pool.query(
      `GRANT USAGE ON SCHEMA millrace TO ${name}; GRANT SELECT ON ALL TABLES IN SCHEMA millrace TO ${name}`,
    );
    const url = Object.assign(new URL(trial?.database.url as string), { username: name, password: "secret" });
    const theirs = new pg.Pool({ connectionString: url.href });
    const parts = {
      shared: "millrace",
      member: "s",
      leaseMs: 1_000,
      onCommitted: () => () => {},
      logger: silentLogger,
    };
    expect(await new PostgresOutbox({ pool: theirs, ...parts }).leases()).toEqual({ held: [], surplus: [] });
    await theirs.end();
    await pool.query(`DROP OWNED BY ${name}; DROP ROLE ${name}`);
  });
});
