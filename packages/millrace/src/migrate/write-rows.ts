import { Failure } from "../failure/failure.js";
import type { PgPool } from "../postgres/pool.js";
import { type Session, transact } from "../postgres/session.js";
import type { TableRows } from "./rows.js";

/** A schema's rows as they were moved. */
export interface MovedSchema {
  readonly schema: string;
  readonly tables: Readonly<Record<string, number>>;
  /** It had been moved by an earlier run. */
  readonly before: boolean;
}

/** Where rows go, and what they come from. */
export interface Writing {
  readonly pool: PgPool;
  readonly shared: string;
  readonly schema: string;
  readonly from: string;
}

const batchMax = 1_000;
/** Columns whose numbers go on after those that were moved. */
const sequences: Readonly<Record<string, string>> = {
  mr_positions: "position",
  mr_lane_entries: "entry",
  mr_timers: "timer",
  mr_jobs: "job",
  mr_audit: "seq",
};

/**
 * Writes a schema's rows in one transaction, and notes that it did: ended before its end, nothing of it is there. What a
 * table has then is counted and compared with what was written.
 *
 * @throws {Failure} CONFLICT when the schema holds rows of something else.
 */
export async function writeSchema(writing: Writing, tables: readonly TableRows[]): Promise<MovedSchema> {
  const { pool, shared, schema, from } = writing;
  return transact(pool, async (session) => {
    await session.script(
      `CREATE TABLE IF NOT EXISTS ${shared}.mr_moved(schema text PRIMARY KEY, source text NOT NULL, tables text NOT NULL)`,
    );
    await session.rows("SELECT pg_advisory_xact_lock(hashtextextended($1, 2))", schema);
    const done = await session.row(`SELECT tables, source FROM ${shared}.mr_moved WHERE schema = $1`, schema);
    if (done !== undefined) {
      if (done[1] !== from) throw occupied(schema, `was moved from ${String(done[1])}`);
      return { schema, tables: JSON.parse(done[0] as string) as Record<string, number>, before: true };
    }
    const counts: Record<string, number> = {};
    for (const { table, rows } of tables) {
      if ((await session.row(`SELECT 1 FROM ${schema}.${table} LIMIT 1`)) !== undefined)
        throw occupied(schema, `has rows in ${table}`);
      counts[table] = await writeTable(session, `${schema}.${table}`, rows);
      const column = sequences[table];
      if (column !== undefined) await advance(session, `${schema}.${table}`, column);
    }
    // Every document was last written by this commit: numbers of the file's commits mean nothing here.
    if (counts["mr_documents"] !== undefined)
      await session.rows(`UPDATE ${schema}.mr_documents SET version = pg_current_xact_id()::text::bigint`);
    await session.rows(`INSERT INTO ${shared}.mr_moved VALUES ($1, $2, $3)`, schema, from, JSON.stringify(counts));
    return { schema, tables: counts, before: false };
  });
}

async function writeTable(session: Session, table: string, rows: TableRows["rows"]): Promise<number> {
  let batch: object[] = [];
  let columns = "";
  const sent = { count: 0, sum: 0n };
  const flush = async () => {
    if (batch.length === 0) return;
    columns = Object.keys(batch[0] as object)
      .map((name) => `"${name}"`)
      .join(", ");
    const [sum] = (await session.row(
      `WITH given AS (SELECT ${columns} FROM json_populate_recordset(NULL::${table}, $1::json)),
       written AS (INSERT INTO ${table}(${columns}) SELECT * FROM given)
       SELECT ${sumOf(columns)} FROM given`,
      JSON.stringify(batch),
    )) as [string];
    sent.count += batch.length;
    sent.sum += BigInt(sum);
    batch = [];
  };
  for (const row of rows) {
    batch.push(row);
    if (batch.length === batchMax) await flush();
  }
  await flush();
  if (columns === "") return 0;
  const [count, sum] = (await session.row(`SELECT count(*), ${sumOf(columns)} FROM ${table}`)) as [number, string];
  if (count !== sent.count || BigInt(sum) !== sent.sum)
    throw new Failure(
      "CONFLICT",
      `${table} has ${count} rows with checksum ${sum}, not the ${sent.count} that were written`,
    );
  return count;
}

/** The same for the same rows, in whatever order. */
const sumOf = (columns: string) => `coalesce(sum(hashtextextended(ROW(${columns})::text, 0)::numeric), 0)::text`;

/** New rows get numbers behind those that were moved. */
async function advance(session: Session, table: string, column: string): Promise<void> {
  await session.rows(
    `SELECT setval(pg_get_serial_sequence($1, $2), max("${column}")) FROM ${table} HAVING max("${column}") IS NOT NULL`,
    table,
    column,
  );
}

function occupied(schema: string, why: string): Failure {
  return new Failure("CONFLICT", `schema ${schema} ${why}: an engine is moved into an empty one; name another schema`);
}
