import { createHash } from "node:crypto";
import { Failure, isFailure } from "../failure/failure.js";
import { refuseReserved } from "../store/sql.js";
import type { Migration } from "../store/store.js";
import type { SqlValue } from "../store/unit.js";
import { isConnectionLost, sqlState, storeFailure } from "./errors.js";
import { Locks } from "./locks.js";
import type { Place } from "./places.js";
import type { PgPool } from "./pool.js";
import { type Session, transact, withSession } from "./session.js";
import { numbered } from "./user-sql.js";

// "read_only_sql_transaction"
const readOnly = "25006";

/** Runs one of a service's migrations, unless it has run: in the service's schema, in a transaction of its own. */
export async function migrate(pool: PgPool, place: Place, { name, sql }: Migration): Promise<void> {
  const where = `${place.service}: migration ${name}`;
  const digest = createHash("sha256").update(sql).digest("base64");
  if (await withSession(pool, (session) => hasRun(session, place, { name, digest, where }))) return;
  refuseReserved(sql, where);
  await transact(pool, async (session) => {
    const locks = new Locks();
    locks.alone(`migrations/${place.service}`);
    await locks.take(session);
    if (await hasRun(session, place, { name, digest, where })) return;
    await session.script(`SET LOCAL search_path = ${place.schema}, public`);
    await run(session, sql, where);
    await session.rows(`INSERT INTO ${place.schema}.mr_migrations(name, digest) VALUES ($1, $2)`, name, digest);
  });
}

interface Known {
  readonly name: string;
  readonly digest: string;
  readonly where: string;
}

async function hasRun(session: Session, { schema }: Place, { name, digest, where }: Known): Promise<boolean> {
  const row = await session.row(`SELECT digest FROM ${schema}.mr_migrations WHERE name = $1`, name);
  if (row !== undefined && row[0] !== digest)
    throw new Failure("OPTION_INVALID", `${where} has run with other SQL; add a new migration instead of changing it`);
  return row !== undefined;
}

async function run(session: Session, sql: string, where: string): Promise<void> {
  try {
    await session.script(sql);
  } catch (cause) {
    if (isConnectionLost(cause)) throw cause;
    const failure = storeFailure(cause);
    throw new Failure(failure.code, `${where}: ${failure.message}`, { cause });
  }
}

/** Rows of a query over the tables of all services: each is found by its name, in the order in which services came. */
export async function query(
  pool: PgPool,
  places: readonly Place[],
  { text, params }: { readonly text: string; readonly params: readonly SqlValue[] },
): Promise<readonly Record<string, unknown>[]> {
  const path = [...places.map(({ schema }) => schema), "public"].join(", ");
  try {
    return await withSession(pool, async (session) => {
      await session.script(`BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL search_path = ${path}`);
      try {
        return await session.objects<Record<string, unknown>>(numbered(text), ...params);
      } finally {
        await session.script("ROLLBACK");
      }
    });
  } catch (error) {
    if (isFailure(error) || sqlState(error) !== readOnly) throw storeFailure(error);
    throw new Failure(
      "OPTION_INVALID",
      `a query only reads, not: ${text.slice(0, 60)}; write with ctx.sql in a handler`,
      { cause: error },
    );
  }
}
