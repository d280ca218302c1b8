import pg from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { isFailure } from "../failure/failure.js";
import { trialDatabase } from "../testing/trial-database.js";
import { translated } from "./errors.js";
import { installService, installShared, readApplied, readPlaces } from "./install.js";
import { inboxDays, makeDay, outboxDays, readDays } from "./partitions.js";
import { serviceSteps, sharedSteps } from "./schema.js";
import { withSession } from "./session.js";

const database = await trialDatabase();
if (database === undefined) console.info("skipped: tables, there is no PostgreSQL");
const pool = new pg.Pool({ connectionString: database?.url, max: 8 });
const now = Date.UTC(2030, 0, 1);

describe.skipIf(database === undefined)("the tables of Millrace", () => {
  beforeAll(() => installShared(pool, "millrace"));
  afterAll(async () => {
    await pool.end();
    await database?.drop();
  });

  it("are made once, however many processes begin at once, and services get numbers of their own", async () => {
    const services = ["shop", "payments", "order-history", "shop", "payments", "shop"];
    const places = await Promise.all(
      services.map(async (service) => {
        await installShared(pool, "millrace");
        return installService(pool, "millrace", { service, now });
      }),
    );
    const known = await withSession(pool, (session) => readPlaces(session, "millrace"));
    expect(known.map(({ number }) => number)).toEqual([1, 2, 3]);
    expect(new Set(places.map(({ service, schema }) => `${service} ${schema}`))).toEqual(
      new Set(["shop millrace_shop", "payments millrace_payments", "order-history millrace_order_history"]),
    );
    for (const [schema, steps] of [
      ["millrace", sharedSteps],
      ["millrace_shop", serviceSteps],
    ] as const) {
      const applied = await withSession(pool, (session) => readApplied(session, schema));
      expect(applied.map(({ number, name }) => ({ number, name }))).toEqual(
        steps.map(({ number, name }) => ({ number, name })),
      );
    }
  });

  it("say which right is missing when the user may not make schemas", async () => {
    const guest = `guest_${process.pid}`;
    await pool.query(`CREATE ROLE ${guest} LOGIN PASSWORD 'guest'`);
    const url = new URL(database?.url as string);
    Object.assign(url, { username: guest, password: "guest" });
    const guests = new pg.Pool({ connectionString: url.href, max: 1 });
    try {
      await expect(translated(() => installShared(guests, "elsewhere"))).rejects.toMatchObject({
        code: "STORE_UNAVAILABLE",
        message: expect.stringMatching(/permission denied for database .*; its user must have CREATE on database /),
      });
    } finally {
      await guests.end();
      await pool.query(`DROP ROLE ${guest}`);
    }
  });

  it("number rows so that a number tells its service", async () => {
    const { schema, number } = await installService(pool, "millrace", { service: "numbers", now });
    const { rows } = await pool.query<{ timer: string }>(
      `INSERT INTO ${schema}.mr_timers(due, record) SELECT 1, '{}' FROM generate_series(1, 3) RETURNING timer`,
    );
    expect(rows.map(({ timer }) => Number(timer))).toEqual([number, number + 1_024, number + 2_048]);
  });

  it("get a partition for each day when it is asked for, also by many at once", async () => {
    const { schema } = await installService(pool, "millrace", { service: "daily", now });
    const days = [19_000, -3, 19_001, 19_000, 19_000];
    await Promise.all(days.flatMap((day) => [inboxDays, outboxDays].map((daily) => makeDay(pool, schema, daily, day))));
    for (const daily of [inboxDays, outboxDays])
      expect(await withSession(pool, (session) => readDays(session, schema, daily))).toEqual([-3, 19_000, 19_001]);
    await pool.query(
      `INSERT INTO ${schema}.mr_outbox(topic, partition, key, id, source, correlation, committed, record)
       VALUES ('t', 0, 'k', 'i', 's', 'c', ${19_001 * 86_400_000 - 1}, '{}')`,
    );
    const { rows } = await pool.query(`SELECT id FROM ${schema}.mr_outbox_19000`);
    expect(rows).toEqual([{ id: "i" }]);
  });

  it("are refused where a schema holds other tables of Millrace", async () => {
    const { schema } = await installService(pool, "millrace", { service: "log", now });
    await expect(installShared(pool, schema)).rejects.toSatisfy(
      (error) => isFailure(error, "OPTION_INVALID") && error.message.includes("a schema each"),
    );
  });

  it("are refused when a newer version of Millrace has made them", async () => {
    const { schema } = await installService(pool, "millrace", { service: "ahead", now });
    await pool.query(`INSERT INTO ${schema}.mr_schema(number, name) VALUES (99, 'of the future')`);
    await expect(installService(pool, "millrace", { service: "ahead", now })).rejects.toSatisfy(
      (error) => isFailure(error, "STORE_FORMAT") && error.message.includes("step 99 (of the future)"),
    );
  });
});
