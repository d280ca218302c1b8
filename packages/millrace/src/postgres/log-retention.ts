import type { Position } from "../store/unit.js";
import type { LogTopics } from "./log-topics.js";
import type { PgPool } from "./pool.js";
import { transact, withSession } from "./session.js";

/** Consumers that have told nothing for so long do not hold records up. */
const notedDaysMax = 30;
/** Blocks that one transaction removes. */
const blocksMax = 1_000;

/** Remembers how far a consumer has come. */
export async function writeNotes(
  at: { readonly pool: PgPool; readonly schema: string; readonly topics: LogTopics },
  consumer: string,
  positions: readonly Position[],
): Promise<void> {
  const numbered = await Promise.all(positions.map(async ({ topic }) => (await at.topics.get(topic)).number));
  await withSession(at.pool, (session) =>
    session.rows(
      `INSERT INTO ${at.schema}.mr_log_notes(consumer, topic, partition, frontier)
       SELECT $1, * FROM unnest($2::integer[], $3::integer[], $4::bigint[])
       ON CONFLICT (consumer, topic, partition) DO UPDATE SET frontier = excluded.frontier, noted = clock_timestamp()`,
      consumer,
      numbered,
      positions.map(({ partition }) => partition),
      positions.map(({ frontier }) => frontier),
    ),
  );
}

/**
 * Removes what is older than its topic keeps, whole ranges of each partition from its start, in bounded transactions. What a
 * consumer has not come to yet stays, unless nothing was heard of it for a month. Tells how many blocks went.
 */
export async function dropOld(pool: PgPool, schema: string): Promise<number> {
  let dropped = 0;
  for (;;) {
    const rows = await transact(pool, (session) => session.rows(dropText(schema), blocksMax, notedDaysMax));
    const [count] = (rows[0] ?? [0]) as [number];
    dropped += count;
    if (count < blocksMax) return dropped;
  }
}

function dropText(schema: string): string {
  return `WITH old AS (
      SELECT l.topic, l.partition, l.first, l.count FROM ${schema}.mr_log_topics AS t
      JOIN ${schema}.mr_log AS l ON l.topic = t.topic
      JOIN ${schema}.mr_log_partitions AS p ON p.topic = l.topic AND p.partition = l.partition
      WHERE t.retention_ms IS NOT NULL AND l.appended < (extract(epoch FROM clock_timestamp()) * 1000)::bigint - t.retention_ms
        AND l.first + l.count <= coalesce((SELECT min(n.frontier) FROM ${schema}.mr_log_notes AS n WHERE n.topic = l.topic
          AND n.partition = l.partition AND n.noted > clock_timestamp() - $2 * interval '1 day'), p.next)
      ORDER BY l.topic, l.partition, l.first LIMIT $1),
    bounds AS (UPDATE ${schema}.mr_log_partitions AS p SET first = greatest(p.first, o.past)
      FROM (SELECT topic, partition, max(first + count) AS past FROM old GROUP BY topic, partition) AS o
      WHERE p.topic = o.topic AND p.partition = o.partition),
    gone AS (DELETE FROM ${schema}.mr_log AS l USING old AS o
      WHERE l.topic = o.topic AND l.partition = o.partition AND l.first = o.first RETURNING 1)
    SELECT count(*) FROM gone`;
}
