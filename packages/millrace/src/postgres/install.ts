import { Failure } from "../failure/failure.js";
import { logSteps } from "./log-schema.js";
import { numberStep, schemaOf } from "./names.js";
import type { PgPool } from "./pool.js";
import { type SchemaStep, serviceSteps, sharedSteps } from "./schema.js";
import { type Session, transact, withSession } from "./session.js";

/** A service's place in the database. */
export interface ServicePlace {
  readonly service: string;
  /** What the numbers of its rows begin with. */
  readonly number: number;
  readonly schema: string;
}

/** A step as it was applied. */
export interface AppliedStep {
  readonly schema: string;
  readonly number: number;
  readonly name: string;
  /** Ms since the epoch, by the database's clock. */
  readonly at: number;
}

// "mill" in ASCII: one process at a time changes the tables.
const installLock = 0x6d696c6c;

/** Makes the tables that all services share, or brings them up to date. */
export async function installShared(pool: PgPool, shared: string): Promise<void> {
  await installSchema(pool, { schema: shared, number: 0, steps: sharedSteps });
}

async function installSchema(pool: PgPool, wanted: Wanted): Promise<void> {
  if (await withSession(pool, (session) => isUpToDate(session, wanted))) return;
  await transact(pool, async (session) => {
    await session.rows("SELECT pg_advisory_xact_lock($1)", installLock);
    await install(session, wanted);
  });
}

/** Makes the tables of a log, or brings them up to date. */
export async function installLog(pool: PgPool, schema: string): Promise<void> {
  await installSchema(pool, { schema, number: 0, steps: logSteps });
}

/** Makes the tables of a service, or brings them up to date. A service that is new gets a number. */
export async function installService(
  pool: PgPool,
  shared: string,
  at: { readonly service: string; readonly now: number },
): Promise<ServicePlace> {
  const known = await withSession(pool, async (session) => {
    const place = await placeOf(session, shared, at.service);
    if (place === undefined) return undefined;
    return (await isUpToDate(session, { ...place, steps: serviceSteps })) ? place : undefined;
  });
  if (known !== undefined) return known;
  return transact(pool, async (session) => {
    await session.rows("SELECT pg_advisory_xact_lock($1)", installLock);
    const place = (await placeOf(session, shared, at.service)) ?? (await number(session, shared, at));
    await install(session, { ...place, steps: serviceSteps });
    return place;
  });
}

/** All services that have a place, by number. */
export async function readPlaces(session: Session, shared: string): Promise<readonly ServicePlace[]> {
  const rows = await session.rows(`SELECT service, number, schema FROM ${shared}.mr_services ORDER BY number`);
  return rows.map(([service, number, schema]) => ({ service, number, schema }) as ServicePlace);
}

/** The steps that a schema has had, oldest first; none when it does not exist. */
export async function readApplied(session: Session, schema: string): Promise<readonly AppliedStep[]> {
  if ((await session.row("SELECT 1 WHERE to_regclass($1) IS NOT NULL", `${schema}.mr_schema`)) === undefined) return [];
  const rows = await session.rows(
    `SELECT number, name, (extract(epoch FROM applied) * 1000)::bigint FROM ${schema}.mr_schema ORDER BY number`,
  );
  return rows.map(([number, name, at]) => ({ schema, number, name, at }) as AppliedStep);
}

interface Wanted {
  readonly schema: string;
  readonly number: number;
  readonly steps: readonly SchemaStep[];
}

async function isUpToDate(session: Session, { schema, steps }: Wanted): Promise<boolean> {
  const applied = await readApplied(session, schema);
  refuseOther(schema, applied, steps);
  return applied.length === steps.length;
}

function refuseOther(schema: string, applied: readonly AppliedStep[], steps: readonly SchemaStep[]): void {
  const [first] = applied;
  if (first !== undefined && first.name !== steps[0]?.name)
    throw new Failure(
      "OPTION_INVALID",
      `schema ${schema} holds other tables of Millrace (${first.name}): a log and a store need a schema each`,
      { details: { option: "schema" } },
    );
  const newest = applied.at(-1);
  if (newest === undefined || newest.number <= steps.length) return;
  throw new Failure(
    "STORE_FORMAT",
    `schema ${schema} has Millrace's tables as of step ${newest.number} (${newest.name}), this version knows ${steps.length}; run the newer version of Millrace`,
  );
}

async function install(session: Session, wanted: Wanted): Promise<void> {
  const { schema, number, steps } = wanted;
  if ((await session.row("SELECT 1 WHERE to_regnamespace($1) IS NOT NULL", schema)) === undefined)
    await session.script(`CREATE SCHEMA ${schema}`);
  await session.script(`CREATE TABLE IF NOT EXISTS ${schema}.mr_schema(
    number integer PRIMARY KEY, name text NOT NULL, applied timestamptz NOT NULL DEFAULT clock_timestamp())`);
  const applied = await readApplied(session, schema);
  refuseOther(schema, applied, steps);
  for (const step of steps.slice(applied.length)) {
    await session.script(step.sql.replaceAll("$schema", schema).replaceAll("$number", String(number)));
    await session.rows(`INSERT INTO ${schema}.mr_schema(number, name) VALUES ($1, $2)`, step.number, step.name);
  }
}

async function placeOf(session: Session, shared: string, service: string): Promise<ServicePlace | undefined> {
  const row = await session.row(`SELECT number, schema FROM ${shared}.mr_services WHERE service = $1`, service);
  return row === undefined ? undefined : { service, number: row[0] as number, schema: row[1] as string };
}

async function number(
  session: Session,
  shared: string,
  { service, now }: { readonly service: string; readonly now: number },
): Promise<ServicePlace> {
  const schema = schemaOf(shared, service);
  const [number] = (await session.row(
    `INSERT INTO ${shared}.mr_services(number, service, schema, created)
     SELECT coalesce(max(number), 0) + 1, $1, $2, $3 FROM ${shared}.mr_services RETURNING number`,
    service,
    schema,
    now,
  )) as [number];
  if (number >= numberStep)
    throw new Failure(
      "OPTION_INVALID",
      `one database holds at most ${numberStep - 1} services; give ${service} another`,
    );
  return { service, number, schema };
}
