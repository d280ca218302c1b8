import type { Shard } from "./outbox-pages.js";
import type { Session } from "./session.js";
import { inTransaction } from "./session.js";
import { type Snapshot, type Window, withOwn } from "./window.js";

/** What a re-baseline found. */
export interface Rebased {
  readonly window: Window;
  /** Events that may not have been sent, and will be. */
  readonly kept: number;
}

/** True of rows that have been sent for certain: `$1` and `$2` the snapshots, `$3` the position, `$4` the highest number sent. */
const sent = `seq <= $4 AND (pg_visible_in_snapshot(xid, $1::pg_snapshot)
  OR ($2::pg_snapshot IS NOT NULL AND seq <= $3 AND pg_visible_in_snapshot(xid, $2::pg_snapshot)))`;

/**
 * The database came from a backup, or is another cluster: its transactions are numbered anew, and snapshots of before say
 * nothing of them. What was sent for certain, as of the backup, is dropped; all else gets a number of this cluster, and is
 * sent in its order. Events that commits have left since the restore have higher numbers than any that was sent.
 *
 * Undefined when the lease is another's.
 */
export async function rebase(session: Session, { schema, owner, epoch }: Shard): Promise<Rebased | undefined> {
  return inTransaction(session, async () => {
    const row = await session.row(
      `SELECT previous::text, current::text, position, high, (SELECT system_identifier::text FROM pg_control_system())
       FROM ${schema}.mr_relay WHERE owner = $1 AND epoch = $2 FOR UPDATE`,
      ...[owner, epoch],
    );
    if (row === undefined) return undefined;
    const [previous, current, position, high, cluster] = row as [Snapshot, Snapshot | null, number, number, string];
    const [snapshot, own, kept] = (await session.row(
      `WITH now AS MATERIALIZED (SELECT pg_current_xact_id() AS own, pg_current_snapshot() AS snapshot),
       kept AS (UPDATE ${schema}.mr_outbox AS o SET xid = now.own FROM now WHERE NOT (${sent}) RETURNING 1),
       gone AS (DELETE FROM ${schema}.mr_outbox WHERE ${sent} RETURNING 1)
       SELECT snapshot::text, own::text, (SELECT count(*) FROM kept), (SELECT count(*) FROM gone) FROM now`,
      ...[previous, current, position, high],
    )) as [Snapshot, string, number];
    const window: Window = { cluster, previous: withOwn(snapshot, own), current: undefined, position: 0 };
    await session.rows(
      `UPDATE ${schema}.mr_relay SET cluster = $1, previous = $2, current = NULL, position = 0`,
      ...[cluster, window.previous],
    );
    return { window, kept };
  });
}
