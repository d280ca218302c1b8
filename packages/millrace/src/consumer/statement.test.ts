import { afterEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { event } from "../contract/event.js";
import { topic } from "../contract/topic.js";
import { service } from "../service/declare.js";
import { endTrials, otherProgram, tempFolder, trial } from "../testing/trial.js";
import type { Context } from "./handler.js";

afterEach(endTrials);

const Sale = z.object({ id: z.string(), note: z.string() });
const sales = topic("sales", { key: "id", events: { made: event("sale.made", Sale) } });
const table = { one: "CREATE TABLE sold(id TEXT PRIMARY KEY, note TEXT, at TEXT, big INTEGER, raw BLOB)" };
type Ctx = Context<never>;

const selling = (handler: (ctx: Ctx, sale: z.infer<typeof Sale>) => void, retry: object = {}) =>
  service("selling")
    .migrations(table)
    .on(sales.made, { retry }, ({ data }, ctx) => handler(ctx, data));
const sold = (ids: readonly string[]) => ids.map((id) => sales.made({ id, note: "" }));

describe("ctx.sql", () => {
  it("binds every value as a parameter, whatever it holds", async () => {
    const note = `'); DROP TABLE sold; --`;
    const t = await trial([
      selling((ctx, { id, note }) => {
        const raw = Uint8Array.of(0, 255);
        ctx.sql`INSERT INTO sold VALUES (${id}, ${note}, ${new Date(0)}, ${true}, ${raw})`;
      }),
    ]);
    await t.app.publish(sales.made({ id: "a", note }));
    await t.rest();
    expect(await t.app.query`SELECT * FROM sold WHERE note = ${note}`).toEqual([
      { id: "a", note, at: "1970-01-01T00:00:00.000Z", big: 1, raw: Uint8Array.of(0, 255) },
    ]);
  });

  it("runs statements of a unit in order, INSERT, UPDATE, REPLACE, WITH and DELETE", async () => {
    const t = await trial([
      selling((ctx, { id }) => {
        ctx.sql`INSERT INTO sold(id, note) VALUES (${id}, '1')`;
        ctx.sql`
          UPDATE sold SET note = note || '2' WHERE id = ${id}`;
        ctx.sql`REPLACE INTO sold(id, note) SELECT id, note || '3' FROM sold WHERE id = ${id}`;
        ctx.sql`WITH one(n) AS (SELECT '4') UPDATE sold SET note = note || (SELECT n FROM one) WHERE id = ${id}`;
        ctx.sql`DELETE FROM sold WHERE id = ${"nobody"}`;
      }),
    ]);
    await t.app.publish(sold(["a"]));
    await t.rest();
    expect(await t.app.query`SELECT note FROM sold`).toEqual([{ note: "1234" }]);
  });

  it.each([
    "SELECT 1",
    "DROP TABLE sold",
    "PRAGMA user_version = 9",
    "ATTACH 'x' AS y",
    "BEGIN",
    "COMMIT",
    "VACUUM",
    "",
    "DELETE FROM sold; DELETE FROM sold",
    "WITH one(n) AS (SELECT 1) SELECT n FROM one",
    "WITH one(n) AS (SELECT 'INSERT') VALUES (1)",
    "/* INSERT */ SELECT 1",
    "DELETE FROM sqlite_sequence",
    "UPDATE main.[sqlite_master] SET sql = ''",
    "DELETE FROM 'mr_positions'",
    "UPDATE OR REPLACE 'mr_positions' SET frontier = 0",
    "INSERT INTO sold(id) VALUES (?)",
    "INSERT INTO sold(id) VALUES (:id)",
    "INSERT INTO sold(id) VALUES (?1)",
  ])("stops the consumer that gives it %j", async (text) => {
    const strings = Object.assign([text], { raw: [text] });
    const t = await trial([selling((ctx) => ctx.sql(strings))]);
    await t.app.publish(sold(["a"]));
    await t.until(() => t.status("selling").state === "stopped");
    expect(t.status("selling").failure).toMatchObject({ code: "OPTION_INVALID" });
  });

  it("stops the consumer that writes a value inside quotes", async () => {
    const t = await trial([selling((ctx, { id }) => ctx.sql`INSERT INTO sold(id) VALUES ('${id}')`)]);
    await t.app.publish(sold(["a"]));
    await t.until(() => t.status("selling").state === "stopped");
    expect(t.status("selling").failure).toMatchObject({
      code: "OPTION_INVALID",
      message: expect.stringMatching(/1 values and 0 parameters.*outside quotes/),
    });
    await expect(t.app.query`SELECT * FROM sold WHERE id = '${"a"}'`).rejects.toMatchObject({ code: "OPTION_INVALID" });
  });

  it("takes comments before the statement, and question marks and names of our tables in texts", async () => {
    const t = await trial([
      selling((ctx, { id }) => {
        ctx.sql`-- what? 'one
          /* mr_positions ? */ INSERT INTO sold(id, note) VALUES (${id}, 'mr_log? "sqlite_master"' /* ? */)`;
      }),
    ]);
    await t.app.publish(sold(["a"]));
    await t.rest();
    expect(await t.app.query`SELECT note FROM sold WHERE note LIKE '%?%'`).toEqual([
      { note: 'mr_log? "sqlite_master"' },
    ]);
  });

  const unfit: readonly [string, unknown, RegExp][] = [
    ["an object", { $id: "a" }, /value 1 is an object.*JSON\.stringify/],
    ["a list", ["a"], /a list/],
    ["undefined", undefined, /undefined.*null/],
    ["NaN", Number.NaN, /NaN.*finite/],
    ["infinity", Number.POSITIVE_INFINITY, /Infinity/],
    ["an invalid date", new Date(Number.NaN), /invalid date/],
    ["a function", () => 1, /a function/],
    ["a large bigint", 2n ** 64n, /64 bits/],
  ];
  it.each(unfit)("fails the event, and nothing else, whose value is %s", async (_, value, message) => {
    const t = await trial([
      selling((ctx, { id }) => {
        ctx.sql`INSERT INTO sold(id, big) VALUES (${(id === "bad" ? value : id) as string}, ${2n ** 40n})`;
      }),
    ]);
    await t.app.publish(sold(["bad", "good"]));
    await t.rest();
    expect(t.status("selling").state).toBe("running");
    expect(await t.app.query`SELECT id, big FROM sold`).toEqual([{ id: "good", big: 2 ** 40 }]);
    expect(await t.entries()).toMatchObject([
      { state: "dead", failure: { code: "EVENT_REJECTED", message: expect.stringMatching(message) } },
    ]);
    await expect(t.app.query`SELECT ${value as string}`).rejects.toMatchObject({ code: "OPTION_INVALID" });
  });

  it("binds bytes that come first", async () => {
    const t = await trial([selling((ctx) => ctx.sql`INSERT INTO sold(raw) VALUES (${Uint8Array.of(7)})`)]);
    await t.app.publish(sold(["a"]));
    await t.rest();
    expect(await t.app.query`SELECT raw FROM sold WHERE raw = ${Uint8Array.of(7)}`).toHaveLength(1);
  });

  it("may end in a semicolon, and hold some in texts and comments", async () => {
    const t = await trial([
      selling(
        (ctx, { id }) => ctx.sql`INSERT INTO sold(id, note) VALUES (${id}, 'a;b''c;') /* ; */; -- the end; really`,
      ),
    ]);
    await t.app.publish(sold(["a"]));
    await t.rest();
    expect(await t.app.query`SELECT note FROM sold`).toEqual([{ note: "a;b'c;" }]);
  });

  it("does not touch Millrace's own tables", async () => {
    const t = await trial([selling((ctx) => ctx.sql`UPDATE "mr_positions" SET frontier = 0`)]);
    await t.app.publish(sold(["a"]));
    await t.until(() => t.status("selling").state === "stopped");
    expect(t.status("selling").failure).toMatchObject({
      code: "OPTION_INVALID",
      message: expect.stringContaining("mr_"),
    });
  });

  it("makes a unit fail that does not change the number of rows it must, and only that one of its group", async () => {
    const t = await trial([
      selling((ctx, { id }) => {
        ctx.sql`INSERT INTO sold(id, note) VALUES (${id}, 'x')`;
        ctx.sql`UPDATE sold SET note = 'y' WHERE id = ${id === "b" ? "nobody" : id}`.rows(1);
      }),
    ]);
    await t.app.publish(sold(["a", "b", "c"]));
    await t.rest();
    expect(await t.app.query`SELECT id, note FROM sold`).toEqual([
      { id: "a", note: "y" },
      { id: "c", note: "y" },
    ]);
    expect(await t.entries()).toMatchObject([
      {
        state: "dead",
        attempt: 1,
        record: { key: "b" },
        failure: { code: "STATEMENT_FAILED", message: expect.stringContaining("changed 0 rows instead of 1") },
      },
    ]);
  });

  it("makes only the culprits of a group dead letters, however they fail", async () => {
    const bad: Readonly<Record<string, (ctx: Ctx) => unknown>> = {
      syntax: (ctx) => ctx.sql`INSERT INTO sold VALUES`,
      missing: (ctx) => ctx.sql`INSERT INTO nowhere VALUES (1)`,
      constraint: (ctx) => ctx.sql`INSERT INTO sold(id) VALUES ('first')`,
      // SQLite undoes the whole transaction by itself here, not only the statement.
      rollback: (ctx) => ctx.sql`INSERT OR ROLLBACK INTO sold(id) VALUES ('first')`,
      huge: (ctx) => ctx.sql`INSERT INTO sold(id, big) VALUES ('huge', abs(-9223372036854775808))`,
    };
    const t = await trial([
      selling((ctx, { id }) => {
        const act = bad[id];
        if (act === undefined) ctx.sql`INSERT INTO sold(id) VALUES (${id})`;
        else act(ctx);
      }),
    ]);
    await t.app.publish(sold(["first"]));
    await t.rest();
    await t.app.publish(sold(["a", ...Object.keys(bad), "b"]));
    await t.rest();
    expect(await t.app.query`SELECT id FROM sold ORDER BY id`).toEqual([{ id: "a" }, { id: "b" }, { id: "first" }]);
    const entries = await t.entries();
    expect(entries.map((entry) => entry.record.key)).toEqual(Object.keys(bad));
    for (const entry of entries) expect(entry).toMatchObject({ state: "dead", failure: { code: "STATEMENT_FAILED" } });
  });
});

describe("a statement that says that the disk is full", () => {
  const full = {
    "by its message": `CREATE TRIGGER no BEFORE INSERT ON sold WHEN new.id = 'bad' BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END`,
    "by SQLite's code, as its table has no row number left": `CREATE TABLE rows(n INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT);
      INSERT INTO rows VALUES (9223372036854775807, 'last');
      CREATE TRIGGER no BEFORE INSERT ON sold WHEN new.id = 'bad' BEGIN INSERT INTO rows(id) VALUES ('x'); END`,
  };
  it.each(Object.entries(full))("%s fails its event, and is not tried for ever", async (_, sql) => {
    const t = await trial([
      service("selling")
        .migrations({ ...table, two: sql })
        .on(sales.made, ({ data }, ctx) => void ctx.sql`INSERT INTO sold(id) VALUES (${data.id})`),
    ]);
    await t.app.publish(sold(["a", "bad", "b"]));
    await t.rest();
    expect(await t.app.query`SELECT id FROM sold ORDER BY id`).toEqual([{ id: "a" }, { id: "b" }]);
    expect(await t.entries()).toMatchObject([
      { state: "dead", record: { key: "bad" }, failure: { code: "STATEMENT_FAILED" } },
    ]);
  });
});

describe("migrations", () => {
  const start = (migrations: Readonly<Record<string, string>>, dir: string) =>
    trial([service("selling").migrations(migrations)], { dir });

  it("run once each, in order, before the service starts", async () => {
    const dir = tempFolder();
    const two = { ...table, two: "INSERT INTO sold(id) VALUES ('by migration')" };
    await (await start(table, dir)).stop();
    await (await start(two, dir)).stop();
    const t = await start(two, dir);
    expect(await t.app.query`SELECT id FROM sold`).toEqual([{ id: "by migration" }]);
  });

  it("that changed after they ran are refused", async () => {
    const dir = tempFolder();
    await (await start(table, dir)).stop();
    await expect(start({ one: `${table.one} STRICT` }, dir)).rejects.toMatchObject({
      code: "OPTION_INVALID",
      message: expect.stringMatching(/selling.*migration one.*new migration/),
    });
  });

  it("may not touch Millrace's own tables", async () => {
    await expect(start({ sly: "DELETE FROM [mr_lane_entries]" }, tempFolder())).rejects.toMatchObject({
      code: "OPTION_INVALID",
      message: expect.stringMatching(/sly.*mr_/),
    });
  });

  it("that fail leave nothing behind, so that they can be mended", async () => {
    const dir = tempFolder();
    await expect(start({ one: `${table.one}; INSERT INTO nowhere VALUES (1)` }, dir)).rejects.toMatchObject({
      code: "STATEMENT_FAILED",
      message: expect.stringContaining("nowhere"),
    });
    const t = await start(table, dir);
    expect(await t.app.query`SELECT * FROM sold`).toEqual([]);
  });

  it("may speak of Millrace's tables in comments and texts", async () => {
    const sql = "CREATE TABLE sold(note TEXT); -- not mr_log\nINSERT INTO sold VALUES ('mr_log')";
    const t = await start({ one: sql }, tempFolder());
    expect(await t.app.query`SELECT * FROM sold`).toEqual([{ note: "mr_log" }]);
  });

  it("of two services with the same names are each their own", async () => {
    const first = service("first").migrations({ one: "CREATE TABLE a(id TEXT)" });
    const second = service("second").migrations({ one: "CREATE TABLE b(id TEXT)" });
    const t = await trial([first, second]);
    expect(await t.app.query`SELECT * FROM a, b`).toEqual([]);
  });
});

describe("app.query", () => {
  it.each(["memory", "file"])("reads and never writes, in a database in %s", async (where) => {
    const t = await trial([selling(() => {})], where === "file" ? { dir: tempFolder() } : {});
    const refusal = { code: "OPTION_INVALID", message: expect.stringContaining("ctx.sql in a handler") };
    await expect(t.app.query`INSERT INTO sold(id) VALUES ('x') RETURNING id`).rejects.toMatchObject(refusal);
    await expect(t.app.query`DELETE FROM sold`).rejects.toMatchObject(refusal);
    await expect(t.app.query`BEGIN`).rejects.toMatchObject(refusal);
    await expect(t.app.query`PRAGMA query_only = 0`).rejects.toMatchObject(refusal);
    await expect(t.app.query`VACUUM INTO ${"copy.db"}`).rejects.toMatchObject(refusal);
    const hidden = t.app.query`WITH one AS (SELECT 1) INSERT INTO sold(id) SELECT 'x' FROM one RETURNING id`;
    await expect(hidden).rejects.toMatchObject(refusal);
    await expect(t.app.query`SELECT 1; SELECT 2`).rejects.toMatchObject({ code: "OPTION_INVALID" });
    expect(
      await t.app.query`-- all
      SELECT count(*) AS n FROM sold`,
    ).toEqual([{ n: 0 }]);
    expect(await t.app.query`VALUES (1)`).toEqual([{ column1: 1 }]);
    await expect(t.app.query`SELECT nothing FROM nowhere`).rejects.toMatchObject({ code: "STATEMENT_FAILED" });
    expect(await t.app.query`SELECT ${"value"} AS v`).toEqual([{ v: "value" }]);
    // The writer is not left read only.
    await t.app.publish(sold(["a"]));
    await t.rest();
  });

  it("sees each commit as soon as its publish resolved or its consumer came to rest", async () => {
    const dir = tempFolder();
    const t = await trial([selling((ctx, { id }) => ctx.sql`INSERT INTO sold(id) VALUES (${id})`)], { dir });
    await t.app.publish(sold(["a"]));
    await t.rest();
    expect(await t.app.query`SELECT id FROM sold`).toEqual([{ id: "a" }]);
    expect(otherProgram(dir, (database) => database.prepare("SELECT id FROM sold").all())).toHaveLength(1);
  });
});
