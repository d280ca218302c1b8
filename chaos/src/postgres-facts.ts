import pg from "pg";
import { type Applied, type Entry, type Place, rangesOf, type StoredFacts, type Tally } from "./facts.js";

// What PostgreSQL says, in SQL of our own.

/** An event that a commit left to be sent to the log. */
export interface Outgoing {
  readonly topic: string;
  readonly source: string;
  readonly id: string;
}

/** A connection of the auditor. Whole numbers come as numbers. */
export async function auditor(url: string): Promise<pg.Client> {
  const whole = new Set([pg.types.builtins.INT8, pg.types.builtins.INT4, pg.types.builtins.INT2]);
  const client = new pg.Client({
    connectionString: url,
    types: {
      getTypeParser: ((oid: number, format?: "text") =>
        whole.has(oid) ? Number : pg.types.getTypeParser(oid, format)) as typeof pg.types.getTypeParser,
    },
  });
  client.on("error", () => {});
  await client.connect();
  await client.query("SET default_transaction_read_only = on");
  return client;
}

const services = ["books", "mirror"] as const;
type Service = (typeof services)[number];

/** The rows of a query, of each of the services that have their tables by now. `$schema` stands for theirs. */
async function rows<Row extends object>(
  client: pg.Client,
  sql: string,
  of: readonly Service[] = services,
): Promise<Row[]> {
  const found: Row[] = [];
  for (const service of of) {
    const schema = `millrace_${service}`;
    const { rows: there } = await client.query("SELECT to_regclass($1) IS NOT NULL AS there", [`${schema}.mr_timers`]);
    if (!there[0].there) continue;
    found.push(...(await client.query<Row>(sql.replaceAll("$schema", schema))).rows);
  }
  return found;
}

/** All that PostgreSQL knows of what was asked, but the log. */
export async function readStored(client: pg.Client): Promise<Omit<StoredFacts, "log" | "copies" | "oddities">> {
  const { rows: operations } = await client.query<{ operation: string; state: string }>(
    "SELECT operation, state FROM millrace.mr_operations",
  );
  return {
    applied: [...(await appliedIn(client, "books")), ...(await appliedIn(client, "mirror"))],
    entries: await readEntries(client),
    places: await readPlaces(client),
    tallies: await documentsOf<Tally>(client, "tallies"),
    accounts: await documentsOf(client, "accounts"),
    timers: await countTimers(client),
    operations: new Map(operations.map(({ operation, state }) => [operation, state])),
  };
}

async function appliedIn(client: pg.Client, service: Service): Promise<readonly Applied[]> {
  return rows<Applied>(client, `SELECT consumer, topic, key, id FROM $schema.applied_${service} ORDER BY seq`, [
    service,
  ]);
}

export async function readEntries(client: pg.Client): Promise<readonly Entry[]> {
  return rows<Entry>(
    client,
    `SELECT consumer, lane, state, holds, topic, partition, "offset" FROM $schema.mr_lane_entries ORDER BY entry`,
  );
}

export async function readPlaces(client: pg.Client): Promise<readonly Place[]> {
  const places = await rows<Omit<Place, "finished"> & { finished: string }>(
    client,
    "SELECT consumer, topic, partition, frontier, finished FROM $schema.mr_positions",
  );
  return places.map((place) => ({ ...place, finished: rangesOf(place.finished) }));
}

export async function countTimers(client: pg.Client): Promise<number> {
  const counts = await rows<{ n: number }>(client, "SELECT count(*)::int AS n FROM $schema.mr_timers");
  return counts.reduce((sum, { n }) => sum + n, 0);
}

async function documentsOf<Doc>(client: pg.Client, type: string): Promise<readonly Doc[]> {
  const found = await rows<{ data: string }>(client, `SELECT data FROM $schema.mr_documents WHERE type = '${type}'`);
  return found.map(({ data }) => JSON.parse(data) as Doc);
}

/** Everything that commits have left to be sent, sent or not. */
export async function readOutgoing(client: pg.Client): Promise<readonly Outgoing[]> {
  return rows<Outgoing>(client, "SELECT topic, source, id FROM $schema.mr_outbox");
}
