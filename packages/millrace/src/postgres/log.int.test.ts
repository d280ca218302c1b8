import pg from "pg";
import { afterAll, describe, expect, it } from "vitest";
import type { LogReader, NewRecord } from "../log/log.js";
import { systemClock } from "../runtime/clock.js";
import { silentLogger } from "../runtime/logger.js";
import { systemRandom } from "../runtime/random.js";
import { logConformance } from "../testing/conformance/log.js";
import { logHistoryConformance } from "../testing/conformance/log-history.js";
import { trialDatabase } from "../testing/trial-database.js";
import { postgresLog } from "./log.js";
import { dropOld } from "./log-retention.js";

const database = await trialDatabase();
const pool = new pg.Pool({ connectionString: database?.url ?? "", max: 20 });
// The server says goodbye to those that are closing when the database is dropped.
pool.on("connect", (client) => client.on("error", () => {}));
const context = { clock: systemClock, random: systemRandom, logger: silentLogger };
let opened = 0;
afterAll(async () => {
  await pool.end();
  await database?.drop();
});

async function openLog() {
  opened += 1;
  const schema = `log${opened}`;
  const open = () => postgresLog({ pool, schema }).open(context);
  let log = await open();
  return {
    schema,
    get log() {
      return log;
    },
    async reopen() {
      await log.close();
      log = await open();
    },
    close: () => log.close(),
  };
}

const exceptions = {
  "takes a repeated identity for the first one, and refuses it with other content":
    "the log has no index of identities; the store beside it drops copies",
  "follows a topic's owner and retention": "what is declared of a topic is kept by the store beside it",
};
const shape = { name: "orders", partitions: 2, owner: "shop", key: "orderId", retentionMs: undefined };

function record(id: string, partition = 0): NewRecord {
  return {
    ...{ topic: "orders", partition, id, source: "shop", type: "order.placed", version: 1, key: "k", time: 7 },
    ...{ correlationId: undefined, causationId: undefined, hops: 0, headers: undefined, named: false, offset: -1 },
    data: JSON.stringify({ id }),
  };
}

async function idsOf(log: LogReader, partition: number): Promise<readonly string[]> {
  const starts = await log.starts("orders");
  const from: number[] = [0, 1].map((index) => (index === partition ? (starts[index] ?? 0) : -1));
  const ids: string[] = [];
  for (;;) {
    const batch = await log.read({ topic: "orders", from, recordsMax: 500, bytesMax: 1_000_000 });
    ids.push(...batch.records.map(({ id }) => id));
    from[partition] = batch.next[partition] as number;
    if (batch.atEnd) return ids;
  }
}

if (database === undefined) console.info("skipped: no PostgreSQL");
describe.skipIf(database === undefined)("the log in PostgreSQL", () => {
  for (const { name, run } of logConformance(openLog, exceptions)) it(name, run);
  for (const { name, run } of logHistoryConformance(openLog)) it(name, run);

  it("shows readers no record before those with lower offsets, whoever appends at the same time", async () => {
    const { log, schema, close } = await openLog();
    await log.ensureTopic(shape);
    const others = await Promise.all([1, 2, 3].map(() => postgresLog({ pool, schema }).open(context)));
    let done = false;
    const appending = Promise.all(
      others.map(async (other, writer) => {
        for (let n = 0; n < 60; n += 1)
          await other.append([record(`${writer}-${n}`, n % 2), record(`${writer}-${n}b`, 1 - (n % 2))]);
      }),
    ).finally(() => {
      done = true;
    });
    const seen: number[] = [];
    let from = 0;
    for (let last = false; !last; ) {
      last = done;
      const batch = await log.read({ topic: "orders", from: [from, -1], recordsMax: 7, bytesMax: 1_000_000 });
      seen.push(...batch.records.map(({ offset }) => offset));
      if (!batch.atEnd) last = false;
      from = batch.next[0] as number;
    }
    await appending;
    expect(seen).toEqual(Array.from({ length: 180 }, (_, n) => n));
    for (const writer of [0, 1, 2]) {
      const mine = (await idsOf(log, 1)).filter((id) => id.startsWith(`${writer}-`));
      expect(mine).toEqual(Array.from({ length: 60 }, (_, n) => `${writer}-${n}${n % 2 === 1 ? "" : "b"}`));
    }
    for (const other of others) await other.close();
    await close();
  });

  it("tells those who read a topic that it grew, in this process and in others", async () => {
    const { log, schema, close } = await openLog();
    await log.ensureTopic(shape);
    const other = await postgresLog({ pool, schema }).open(context);
    const heard: (readonly string[])[] = [];
    other.onAppended((topics) => void heard.push(topics));
    await log.append([record("unread")]);
    await other.read({ topic: "orders", from: [0, 0], recordsMax: 10, bytesMax: 1_000 });
    await log.append([record("read")]);
    await expect.poll(() => heard.length).toBeGreaterThan(0);
    expect(heard[0]).toEqual(["orders"]);
    await other.close();
    await close();
  });

  it("removes whole ranges of what is older than its topic keeps, but not what a consumer has still to come to", async () => {
    const { log, schema, close } = await openLog();
    await log.ensureTopic({ ...shape, retentionMs: 60_000 });
    for (const id of ["a", "b", "c", "d"]) await log.append([record(id)]);
    await pool.query(`UPDATE ${schema}.mr_log SET appended = appended - 120000 WHERE first < 3`);
    const position = { id: 1, consumer: "c", topic: "orders", partition: 0, epoch: 1, generation: 1, crashes: 0 };
    log.note("slow", [{ ...position, frontier: 2, finished: [] }]);
    await expect.poll(async () => (await pool.query(`SELECT FROM ${schema}.mr_log_notes`)).rowCount).toBe(1);
    expect(await dropOld(pool, schema)).toBe(2);
    expect([await log.starts("orders"), await log.ends("orders")]).toEqual([
      [2, 0],
      [4, 0],
    ]);
    expect(await idsOf(log, 0)).toEqual(["c", "d"]);
    const tooEarly = log.read({ topic: "orders", from: [1, 0], recordsMax: 10, bytesMax: 1_000 });
    await expect(tooEarly).rejects.toMatchObject({ code: "POSITION_MISSING" });
    await pool.query(`UPDATE ${schema}.mr_log_notes SET noted = noted - interval '40 days'`);
    expect(await dropOld(pool, schema)).toBe(1);
    expect(await idsOf(log, 0)).toEqual(["d"]);
    await close();
  });

  it("keeps streams whole", async () => {
    const { log, schema, close } = await openLog();
    await log.ensureTopic({ ...shape, retentionMs: 1, streams: true });
    await log.append([record("a")]);
    await pool.query(`UPDATE ${schema}.mr_log SET appended = 0`);
    expect(await dropOld(pool, schema)).toBe(0);
    await close();
  });

  it("refuses options that cannot be used", () => {
    for (const wrong of [{}, { pool: {} }, { pool, schema: "No" }, { pool, schema: "pg_log" }, { pool, shema: "a" }])
      expect(() => postgresLog(wrong as never)).toThrow(expect.objectContaining({ code: "OPTION_INVALID" }));
  });

  it("says that it cannot be reached when there is no server", async () => {
    const nowhere = new pg.Pool({ connectionString: "postgres://nobody@127.0.0.1:1/none" });
    await expect(postgresLog({ pool: nowhere }).open(context)).rejects.toMatchObject({ code: "LOG_UNAVAILABLE" });
    await nowhere.end();
  });
});
