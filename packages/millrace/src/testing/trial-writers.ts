import type pg from "pg";
import { seededRandom } from "../runtime/random.js";

/** What is written, and where. */
export interface Writing {
  readonly pool: pg.Pool;
  readonly table: string;
  readonly writers: number;
  /** Asked between transactions, with how many events were committed. */
  readonly enough: (committed: number) => boolean;
}

const keys = 200;

/** The rows whose locks order the events of a key; `n` counts those that were committed. */
export async function makeKeys(pool: pg.Pool): Promise<void> {
  await pool.query("CREATE TABLE trial_keys(key text PRIMARY KEY, n bigint NOT NULL) WITH (fillfactor = 20)");
  await pool.query("INSERT INTO trial_keys SELECT 'k' || g, 0 FROM generate_series(1, $1) AS g", [keys]);
}

/** How many events of each key were committed. */
export async function committedByKey(pool: pg.Pool): Promise<ReadonlyMap<string, number>> {
  const { rows } = await pool.query("SELECT key, n::integer FROM trial_keys");
  return new Map(rows.map(({ key, n }) => [key, n]));
}

/** Writes events in transactions of every kind, until there are enough. Tells how many were committed. */
export async function write(writing: Writing): Promise<number> {
  const state = { committed: 0 };
  await Promise.all(Array.from({ length: writing.writers }, (_, writer) => writeOn(writing, writer, state)));
  return state.committed;
}

/** The next numbers of keys, and an event for each, as one statement: the locks first, in order, then the rows. */
function eventsText(table: string): string {
  return `WITH moved AS (UPDATE trial_keys AS k SET n = k.n + $2 FROM (SELECT key FROM trial_keys WHERE key = ANY($1) ORDER BY key FOR UPDATE) AS held
      WHERE k.key = held.key RETURNING k.key, k.n)
    INSERT INTO ${table}(topic, partition, key, id, source, correlation, committed, record)
    SELECT 'orders', 0, key, key || '-' || number, 'shop', 'c', $3, '{"type":"order.placed","version":1,"time":1,"hops":0,"data":"' || number || '"}'
    FROM (SELECT key, generate_series(n - $2 + 1, n) AS number FROM moved) AS numbered ORDER BY number`;
}

/**
 * Writes what the naive ways go wrong with, whatever the machine's timing: one transaction that is older than another and writes
 * behind it, and one that commits behind what was `seen` of a younger one. Tells how many events those are.
 */
export async function writeStaged(
  { pool, table }: Pick<Writing, "pool" | "table">,
  seen: (key: string, n: number) => Promise<void>,
): Promise<number> {
  const [older, younger] = [await pool.connect(), await pool.connect()];
  const text = eventsText(table);
  const insert = (client: pg.PoolClient, key: string) => client.query(text, [[key], 1, Date.now()]);
  try {
    await older.query("BEGIN; SELECT pg_current_xact_id()");
    await insert(younger, "k1");
    await insert(older, "k1");
    await older.query("COMMIT");
    await older.query("BEGIN");
    await insert(older, "k2");
    await insert(younger, "k3");
    await seen("k3", (await committedByKey(pool)).get("k3") as number);
    await older.query("COMMIT");
    return 4;
  } finally {
    older.release();
    younger.release();
  }
}

async function writeOn({ pool, table, enough }: Writing, writer: number, state: { committed: number }): Promise<void> {
  const random = seededRandom(writer + 1);
  const chance = (of: number) => random.next() < of;
  const client = await pool.connect();
  const text = eventsText(table);
  const insert = async (count: number, times: number) => {
    const some = Array.from({ length: count }, () => `k${1 + Math.floor(random.next() * keys)}`);
    const { rowCount } = await client.query(text, [some, times, Date.now()]);
    return rowCount ?? 0;
  };
  try {
    while (!enough(state.committed)) {
      // Half of them have their number long before they wait for anybody's lock.
      await client.query(chance(0.5) ? "BEGIN; SELECT pg_current_xact_id()" : "BEGIN");
      let written = await insert(1, 1 + Math.floor(random.next() * 12));
      if (chance(0.3)) {
        await client.query("SAVEPOINT part");
        // One key a transaction: two of different order would wait for each other.
        await client.query(`INSERT INTO ${table}(topic, partition, key, id, source, correlation, committed, record)
          VALUES ('orders', 0, 'never', 'never', 'shop', 'c', ${Date.now()}, '1')`);
        await client.query("ROLLBACK TO part");
      }
      if (chance(0.2)) await client.query("SAVEPOINT kept");
      if (chance(0.05)) await client.query("SELECT pg_sleep($1)", [random.next() / 20]);
      const kept = !chance(0.1);
      await client.query(kept ? "COMMIT" : "ROLLBACK");
      if (!kept) written = 0;
      state.committed += written;
    }
  } finally {
    client.release();
  }
}
