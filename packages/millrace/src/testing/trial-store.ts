import pg from "pg";
import { Core } from "../postgres/core.js";
import type { PgPool } from "../postgres/pool.js";
import type { Clock } from "../runtime/clock.js";
import { silentLogger } from "../runtime/logger.js";
import { systemRandom } from "../runtime/random.js";
import type { SharedStoreUnderTest } from "./conformance/shared-store.js";
import type { StoreUnderTest } from "./conformance/store.js";
import { checkedService, checkedStreams, checkedTopic } from "./conformance/units.js";
import { virtualClock } from "./virtual-clock.js";

const topic = {
  name: checkedTopic,
  partitions: 2,
  owner: checkedService,
  key: "k",
  retentionMs: undefined,
  incarnation: "one",
};
let made = 0;

/** A store on its own, as one process has it. */
export async function openCore(pool: PgPool, shared: string, clock: Clock = virtualClock()): Promise<Core> {
  made += 1;
  const context = { clock, random: systemRandom, logger: silentLogger };
  const core = new Core({ pool, shared, context, member: `member-${made}`, dueJobs: async () => undefined });
  await core.open();
  await core.topics.ensure(topic);
  await core.topics.ensure({ ...topic, name: checkedStreams, streams: true });
  return core;
}

/** The name of a schema that no other test uses. */
export function freshSchema(): string {
  made += 1;
  return `t${process.pid}_${made}`;
}

/** A pool that is closed with the store. */
export function trialPool(url: string, more: pg.PoolConfig = {}): pg.Pool {
  const pool = new pg.Pool({ connectionString: url, max: 8, ...more });
  pool.on("error", () => {});
  return pool;
}

/** An empty store under test. */
export async function openTrialStore(url: string, more: pg.PoolConfig = {}): Promise<StoreUnderTest> {
  const shared = freshSchema();
  let pool = trialPool(url, more);
  let core = await openCore(pool, shared);
  return {
    get store() {
      return core.store;
    },
    published: () => published(pool, core),
    async reopen() {
      await core.close();
      await pool.end();
      pool = trialPool(url, more);
      core = await openCore(pool, shared);
    },
    async close() {
      await core.close();
      await pool.end();
    },
  };
}

/** Two processes' worth: each with a pool, and a name, of its own. */
export async function openSharedStore(url: string): Promise<SharedStoreUnderTest> {
  const shared = freshSchema();
  const pools = [trialPool(url), trialPool(url)] as const;
  const left = await openCore(pools[0], shared);
  const right = await openCore(pools[1], shared);
  return {
    left: left.store,
    right: right.store,
    published: () => published(pools[0], left),
    async close() {
      await left.close();
      await right.close();
      await Promise.all(pools.map((pool) => pool.end()));
    },
  };
}

/** The ids of the outbox, in publish order. */
export async function published(pool: pg.Pool, core: Core): Promise<readonly string[]> {
  const ids: string[] = [];
  for (const { schema } of await core.places.all()) {
    const { rows } = await pool.query<{ id: string }>(
      `SELECT id FROM ${schema}.mr_outbox WHERE topic = $1 ORDER BY seq`,
      [checkedTopic],
    );
    ids.push(...rows.map(({ id }) => id));
  }
  return ids;
}
