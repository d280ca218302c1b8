import type { OutboxLease, OutboxLeases } from "../store/outbox.js";
import type { PgPool } from "./pool.js";
import { type Session, withSession } from "./session.js";

/** Whose leases, and where. */
export interface OutboxOwner {
  readonly pool: PgPool;
  /** The schema that all services share. */
  readonly shared: string;
  readonly member: string;
  /** How long a process may be silent before others take its shards. */
  readonly leaseMs: number;
}

/** A shard's row of mr_relay, seen from outside. */
interface Standing {
  readonly shard: string;
  readonly schema: string;
  readonly owner: string;
  readonly epoch: number;
  /** Nobody has the lease, or it has expired. */
  readonly free: boolean;
  readonly leftMs: number;
}

const freeLooksMax = 3;

/** The leases of one process on the shards of a database, by the database's clock. */
export class ShardLeases {
  /** The schemas of shards that were seen. */
  readonly schemas = new Map<string, string>();
  readonly #owner: OutboxOwner;
  /** Taken beyond the fair share. */
  readonly #adopted = new Set<string>();
  readonly #seenFree = new Map<string, number>();
  #members = "";

  constructor(owner: OutboxOwner) {
    this.#owner = owner;
  }

  /** Keeps what this process has, takes what is free up to its fair share, and what nobody else takes. */
  async look(): Promise<OutboxLeases> {
    const { pool, member, leaseMs } = this.#owner;
    return withSession(pool, async (session) => {
      const standings = await standingsOf(session, await this.shards(session));
      const share = await this.#share(session, standings.length);
      const held: OutboxLease[] = [];
      for (const standing of standings) {
        const { shard, owner, epoch, leftMs } = standing;
        if (owner !== member) continue;
        if (leftMs > (leaseMs * 2) / 3 || (await this.#renew(session, standing))) held.push({ shard, epoch });
      }
      const adopted = held.filter(({ shard }) => this.#adopted.has(shard));
      const fair = held.filter(({ shard }) => !this.#adopted.has(shard));
      for (const standing of standings) {
        if (!this.#mayTake(standing, fair.length < share)) continue;
        const epoch = await this.#take(session, standing);
        if (epoch === undefined) continue;
        if (fair.length < share) fair.push({ shard: standing.shard, epoch });
        else {
          this.#adopted.add(standing.shard);
          adopted.push({ shard: standing.shard, epoch });
        }
      }
      return { held: [...fair, ...adopted], surplus: fair.slice(share) };
    });
  }

  /** What is free for some looks is nobody else's share: those who could take it have no right to, or do not relay. */
  #mayTake({ shard, owner, free }: Standing, wanted: boolean): boolean {
    if (!free || owner === this.#owner.member) {
      this.#seenFree.delete(shard);
      return false;
    }
    const looks = (this.#seenFree.get(shard) ?? 0) + 1;
    this.#seenFree.set(shard, looks);
    return wanted || looks > freeLooksMax;
  }

  /** Whether it still was this process's. */
  async release({ shard, epoch }: OutboxLease): Promise<boolean> {
    const { pool, member } = this.#owner;
    const changed = await withSession(pool, (session) =>
      session.changes(
        `UPDATE ${this.schemas.get(shard)}.mr_relay SET owner = '', expires = '-infinity' WHERE owner = $1 AND epoch = $2`,
        ...[member, epoch],
      ),
    );
    return changed > 0;
  }

  /** The services that have left tables which this process's user may change. */
  async shards(session: Session): Promise<readonly (readonly [shard: string, schema: string])[]> {
    const rows = (await session.rows(
      `SELECT service, schema FROM ${this.#owner.shared}.mr_services
       WHERE CASE WHEN to_regnamespace(schema) IS NULL OR NOT has_schema_privilege(schema, 'USAGE')
         OR to_regclass(schema || '.mr_relay') IS NULL THEN false ELSE has_table_privilege(schema || '.mr_relay', 'UPDATE') END
       ORDER BY service`,
    )) as readonly (readonly [string, string])[];
    for (const [shard, schema] of rows) this.schemas.set(shard, schema);
    return rows;
  }

  /** How many shards are this process's: the same everywhere, differing by one at most. */
  async #share(session: Session, shards: number): Promise<number> {
    const { shared, member, leaseMs } = this.#owner;
    const rows = await session.rows(
      `SELECT member FROM ${shared}.mr_members WHERE heard > clock_timestamp() - $1::integer * interval '1 ms'`,
      leaseMs,
    );
    const members = [...new Set([...rows.map(([name]) => name as string), member])].sort();
    // Those who came may want what was left over.
    if (members.join() !== this.#members) this.#adopted.clear();
    this.#members = members.join();
    return Math.floor(shards / members.length) + (members.indexOf(member) < shards % members.length ? 1 : 0);
  }

  async #renew(session: Session, { schema, epoch }: Standing): Promise<boolean> {
    const { member, leaseMs } = this.#owner;
    const changed = await session.changes(
      `UPDATE ${schema}.mr_relay SET expires = clock_timestamp() + $3::integer * interval '1 ms' WHERE owner = $1 AND epoch = $2`,
      ...[member, epoch, leaseMs],
    );
    return changed > 0;
  }

  /** Under a new epoch; undefined when another process was faster. */
  async #take(session: Session, { schema, epoch }: Standing): Promise<number | undefined> {
    const { member, leaseMs } = this.#owner;
    const row = await session.row(
      `UPDATE ${schema}.mr_relay SET owner = $1, epoch = epoch + 1, expires = clock_timestamp() + $3::integer * interval '1 ms',
         cluster = CASE cluster WHEN '' THEN (SELECT system_identifier::text FROM pg_control_system()) ELSE cluster END
       WHERE epoch = $2 AND (owner = '' OR expires <= clock_timestamp()) RETURNING epoch`,
      ...[member, epoch, leaseMs],
    );
    return row?.[0] as number | undefined;
  }
}

async function standingsOf(
  session: Session,
  shards: readonly (readonly [shard: string, schema: string])[],
): Promise<readonly Standing[]> {
  if (shards.length === 0) return [];
  const rows = await session.rows(
    shards
      .map(
        ([, schema], index) =>
          `SELECT ${index} AS shard, owner, epoch, owner = '' OR expires <= clock_timestamp() AS free,
             CASE WHEN isfinite(expires) THEN (extract(epoch FROM expires - clock_timestamp()) * 1000)::bigint ELSE 0 END AS left
           FROM ${schema}.mr_relay`,
      )
      .join(" UNION ALL "),
  );
  return rows.map(([index, owner, epoch, free, leftMs]) => {
    const [shard, schema] = shards[index as number] as readonly [string, string];
    return { shard, schema, owner, epoch, free, leftMs } as Standing;
  });
}
