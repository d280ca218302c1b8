import type { OpenLog } from "../engine/halves.js";
import { Failure } from "../failure/failure.js";
import { installService, installShared } from "../postgres/install.js";
import { checkSchemaName, sharedSchemaDefault } from "../postgres/names.js";
import type { PgPool } from "../postgres/pool.js";
import { Topics } from "../postgres/topics.js";
import { copyTopic, type MovedTopic, verifyTopic } from "./copy-log.js";
import { Offsets } from "./offsets.js";
import { type Moving, serviceRows, servicesOf, sharedRows } from "./rows.js";
import { Source } from "./source.js";
import { type MovedSchema, writeSchema } from "./write-rows.js";

/** From where to where. */
export interface Migration {
  /** The folder of the embedded engine's file. No program may use it meanwhile. */
  readonly dir: string;
  /** The log that the events go to, opened. */
  readonly log: OpenLog;
  /** The database that the state goes to. */
  readonly pool: PgPool;
  /** The schema that services share there (default "millrace"). */
  readonly schema?: string;
  /** Also when services have tables of their own, which are not moved. */
  readonly withoutTables?: boolean;
  /** Ms since the epoch. */
  readonly now: number;
}

/** What there is to be moved. */
export interface MigrationPlan {
  readonly topics: readonly { readonly topic: string; readonly partitions: number; readonly records: number }[];
  readonly services: readonly { readonly service: string; readonly rows: number }[];
  readonly shared: Readonly<Record<string, number>>;
  /** Tables of services' own, which are not moved: their migrations run again in PostgreSQL's SQL. */
  readonly ownTables: readonly string[];
}

/** What was moved, and compared. */
export interface Migrated {
  readonly topics: readonly (MovedTopic & { readonly checksum: string })[];
  readonly schemas: readonly MovedSchema[];
}

/**
 * What a migration would move. Nothing is written.
 *
 * @throws {Failure} NOT_FOUND, STORE_OWNED or STORE_FORMAT, as the file is.
 */
export function planMigration(dir: string): MigrationPlan {
  const source = Source.open(dir);
  try {
    const moving = { source, offsets: Offsets.of(source), now: 0, incarnations: new Map() };
    const services = servicesOf(source);
    const numbers = new Map(services.map((service) => [service, 1]));
    const count = (rows: Iterable<unknown>) => [...rows].length;
    return {
      topics: source.topics.map(({ shape, first, end }) => {
        return { topic: shape.name, partitions: shape.partitions, records: end - first };
      }),
      services: services.map((service) => {
        const tables = serviceRows({ ...moving, numbers }, service);
        return { service, rows: tables.reduce((sum, { rows }) => sum + count(rows), 0) };
      }),
      shared: Object.fromEntries(sharedRows({ ...moving, numbers }).map(({ table, rows }) => [table, count(rows)])),
      ownTables: source.userTables(),
    };
  } finally {
    source.close();
  }
}

/**
 * Moves all of an embedded engine: events with their keys' partitions and order, documents, streams, builds, positions, lanes
 * with dead letters, amendments, timers, schedules, operations, jobs and the audit. Ended at any point, it goes on when it is
 * called again. The file stays as it is.
 *
 * @throws {Failure} CONFLICT when the new log or schemas hold something else, or services have tables of their own; as
 * {@link planMigration}, too.
 */
export async function migrateEngine(migration: Migration): Promise<Migrated> {
  const { dir, log, pool, withoutTables = false, now } = migration;
  const shared = checkSchemaName(migration.schema ?? sharedSchemaDefault);
  const source = Source.open(dir);
  try {
    const own = source.userTables();
    if (own.length > 0 && !withoutTables)
      throw new Failure(
        "CONFLICT",
        `${own.join(", ")} are services' own tables, whose SQL is SQLite's: they are not moved. Move them by yourself, or rebuild what they are made from; then go on with withoutTables`,
      );
    const offsets = Offsets.of(source);
    await installShared(pool, shared);
    const { incarnations, topics } = await moveLog({ source, log, offsets, topics: new Topics(pool, shared) });
    const moving = { source, offsets, incarnations, now };
    return { topics, schemas: await moveState(moving, { pool, shared, from: dir }) };
  } finally {
    source.close();
  }
}

interface MovingLog extends Pick<Moving, "source" | "offsets"> {
  readonly log: OpenLog;
  readonly topics: Topics;
}

async function moveLog({ source, log, offsets, topics }: MovingLog) {
  const incarnations = new Map<string, string>();
  const moved: (MovedTopic & { readonly checksum: string })[] = [];
  for (const topic of source.topics) {
    const { incarnation: _, ...shape } = topic.shape;
    const made = await log.ensureTopic(shape);
    incarnations.set(shape.name, made.incarnation);
    await topics.ensure({ ...shape, incarnation: made.incarnation });
    const copied = await copyTopic(source, log, { topic, offsets });
    moved.push({ ...copied, checksum: await verifyTopic(source, log, topic) });
  }
  return { incarnations, topics: moved };
}

async function moveState(
  moving: Omit<Moving, "numbers">,
  { pool, shared, from }: { readonly pool: PgPool; readonly shared: string; readonly from: string },
): Promise<MovedSchema[]> {
  const places = [];
  for (const service of servicesOf(moving.source))
    places.push(await installService(pool, shared, { service, now: moving.now }));
  const numbers = new Map(places.map(({ service, number }) => [service, number]));
  const schemas: MovedSchema[] = [];
  for (const { service, schema } of places)
    schemas.push(await writeSchema({ pool, shared, schema, from }, serviceRows({ ...moving, numbers }, service)));
  const all = sharedRows({ ...moving, numbers });
  schemas.push(await writeSchema({ pool, shared, schema: shared, from }, all));
  return schemas;
}
